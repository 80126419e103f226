"""Paths into an event: `$.traits.plan`, `properties.items[0].sku`, `$['first name']`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from personalize.destination.values import MISSING, Found, Json

_STEP = re.compile(r"""\[(?:(\d+)|'([^']*)'|"([^"]*)")\]|\.?((?:\\.|[^.\[\\])+)""")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Path:
    """The way to a value.

    Args:
        steps: names of members, or numbers of elements as text.
    """

    steps: tuple[str, ...]

    def find(self, value: Json) -> Found:
        """Return what is at the end of the way, if the way goes that far."""
        found: Found = value
        for step in self.steps:
            if isinstance(found, Mapping):
                found = found.get(step, MISSING)
            elif isinstance(found, Sequence) and not isinstance(found, str) and step.isdecimal():
                found = found[int(step)] if int(step) < len(found) else MISSING
            else:
                return MISSING
        return found


@lru_cache(4096)
def path(said: str) -> Path:
    """Return the path that a text says; a leading `$.` may be left out, and nothing at all is the whole."""
    rest = said.removeprefix("$").removeprefix(".")
    steps = (
        number or single or double or _ESCAPED.sub(r"\1", name) for number, single, double, name in _STEP.findall(rest)
    )
    return Path(tuple(steps))
