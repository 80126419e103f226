"""What the engine calls and others provide: small Protocols, and the values that they exchange."""

from collections.abc import Mapping
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

from personalize.model import Collection, ExternalId, SectionName, Snapshot
from personalize.needs import SectionSpec

Priority: TypeAlias = Literal["server", "page", "refresh"]
"""What a read is for, most urgent first: one of our own servers, a page that waits, or what a later page will want."""


class Errand(Struct, frozen=True):
    """Why a read is made, and until when somebody waits for it.

    `deadline` is a time of the running event loop's clock, in seconds; at `limit`, another one, the read is given up.
    """

    priority: Priority
    deadline: float
    limit: float | None = None


class Allowance(Protocol):
    """What the client of one request may let be read."""

    @property
    def left(self) -> bool:
        """What `spend` would say now; nothing is spent by asking."""
        ...

    def spend(self) -> bool:
        """Whether the Profile API may be read for this request; however much of it, it counts as one."""
        ...


class _Unlimited:
    """The allowance of whoever is not counted."""

    left = True

    def spend(self) -> bool:
        """Let it be read."""
        return True


UNLIMITED: Allowance = _Unlimited()


class Ask(Struct, frozen=True):
    """What the engine wants to know of one profile, how urgently, and until when it waits.

    `deadline` is a time of the running event loop's clock, in seconds; `aliases` are the visitor's other ids,
    `proven` if whoever asks has shown that they are one person's; `allowance` is asked before anything is read that
    nobody else is reading already.
    """

    collection: Collection
    external_id: ExternalId
    sections: Mapping[SectionName, SectionSpec]
    deadline: float
    priority: Priority = "page"
    aliases: tuple[ExternalId, ...] = ()
    allowance: Allowance = UNLIMITED
    proven: bool = False


class Basis(Protocol):
    """What an answer was made of."""

    def holds(self) -> bool:
        """Return whether that is still all there is to know: until it grows old, the answer would be the same."""
        ...


class ProfileSource(Protocol):
    """Where snapshots come from."""

    async def fetch(self, ask: Ask) -> Snapshot:
        """Return what is known by the deadline; never raise for what Segment or Redis do."""
        ...

    def peek(self, ask: Ask) -> Basis | None:
        """Return what is in memory of a profile, if all that is asked for is, and nobody need be asked about it."""
        ...


class ItemProvider(Protocol):
    """A source of items, answered from memory."""

    @property
    def name(self) -> str:
        """What recipes call it."""
        ...

    @property
    def version(self) -> int:
        """Changes whenever the items do."""
        ...

    def items(self) -> object:
        """Return all items, as the collection that recipes declare (`Posts`)."""
        ...
