"""Scripts that Redis runs."""

from dataclasses import dataclass, field
from hashlib import sha1
from typing import TypeAlias

Argument: TypeAlias = str | bytes | int | float
"""What a script can be given."""


@dataclass(frozen=True)
class Script:
    """Lua that Redis runs as one step. Servers know a script by its digest once they have run it."""

    source: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", sha1(self.source.encode(), usedforsecurity=False).hexdigest())
