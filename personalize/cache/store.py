"""What the shared tier is to the policy, and what stands in for it where a process is alone."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol, TypeAlias

from msgspec import Struct, field

from personalize.cache.amendment import Amend, Outcome
from personalize.model import AnySection, SectionName

Stamp: TypeAlias = bytes
"""A profile's mark in the shared tier, which changes whenever it is forgotten or amended; empty if it never was."""


class Known(Struct, frozen=True):
    """What the shared tier has of a profile: its stamp, and those of its sections that were asked for.

    `claimed` are those which are not there, and which we have the right to read now, for the whole fleet.
    """

    stamp: Stamp = b""
    sections: Mapping[SectionName, AnySection] = field(default_factory=dict)
    claimed: Collection[SectionName] = ()


class Claim(Struct, frozen=True):
    """Whether we have the right to read a section, for the whole fleet, and what is known of the profile now."""

    granted: bool
    known: Known | None


class SharedStore(Protocol):
    """The tier that replicas share. None of its verbs raises or takes long, whatever state the tier is in."""

    async def read(self, key: str, names: Iterable[SectionName], *, claiming: bool = False) -> Known | None:
        """Return what is known of a profile's named sections; `None` when the tier does not answer.

        With `claiming` the right to read what is not there is asked for in the same round trip.
        """
        ...

    async def write(self, key: str, name: SectionName, section: AnySection, stamp: Stamp) -> None:
        """Keep one section, unless the profile was forgotten since it had this stamp."""
        ...

    async def claim(self, key: str, name: SectionName) -> Claim:
        """Ask for the right to read a section, and for what is known of it after that, in one round trip.

        One process has it at a time, and is granted it again. When the tier does not answer, nothing is known and
        everybody has it.
        """
        ...

    async def release(self, key: str, name: SectionName) -> None:
        """Give back the right to read a section, if it is still ours."""
        ...

    async def relate(self, key: str, others: Iterable[str], *, proven: bool) -> None:
        """Remember that other profiles' keys stand for the same person; the first ones stay, and most of the proven."""
        ...

    async def related(self, key: str) -> frozenset[str] | None:
        """Return the keys that stand for the same person; `None` when the tier does not answer."""
        ...

    async def part(self, key: str) -> bool:
        """Forget which keys stood for the same person; return whether that was taken."""
        ...

    async def forget(self, key: str) -> bool:
        """Forget a profile and change its stamp; return whether that was taken."""
        ...

    async def amend(self, key: str, amend: Amend) -> Outcome | None:
        """Keep what an amendment makes of a profile, and change its stamp; `None` when that was not taken.

        Between looking and keeping nobody else changes anything: else it looks again.
        """
        ...

    async def tell(self, keys: Iterable[str]) -> bool:
        """Tell every replica that these profiles were forgotten; return whether that was said."""
        ...

    async def listen(self, heard: Callable[[str], None]) -> None:
        """Call `heard` with each profile that any replica tells to be forgotten, until cancelled."""
        ...

    def trusts(self, checked: float) -> bool:
        """Whether what was compared with this tier at a monotonic time cannot have been forgotten unheard since."""
        ...


class Alone:
    """The shared tier of a process that shares nothing: it never answers, and there is nobody to tell."""

    async def read(
        self,
        key: str,  # noqa: ARG002 -- the protocol's
        names: Iterable[SectionName],  # noqa: ARG002 -- the protocol's
        *,
        claiming: bool = False,  # noqa: ARG002 -- the protocol's
    ) -> Known | None:
        """Know nothing."""
        return None

    async def write(self, key: str, name: SectionName, section: AnySection, stamp: Stamp) -> None:
        """Keep nothing."""

    async def claim(self, key: str, name: SectionName) -> Claim:  # noqa: ARG002 -- the protocol's
        """Let it read."""
        return Claim(granted=True, known=None)

    async def release(self, key: str, name: SectionName) -> None:
        """Have nobody who waits for it."""

    async def relate(self, key: str, others: Iterable[str], *, proven: bool) -> None:
        """Keep nothing."""

    async def related(self, key: str) -> frozenset[str] | None:  # noqa: ARG002 -- the protocol's
        """Know nobody."""
        return frozenset()

    async def part(self, key: str) -> bool:  # noqa: ARG002 -- the protocol's
        """Have nobody to part."""
        return True

    async def forget(self, key: str) -> bool:  # noqa: ARG002 -- the protocol's
        """Have nothing to forget."""
        return True

    async def amend(self, key: str, amend: Amend) -> Outcome | None:  # noqa: ARG002 -- the protocol's
        """Have nothing to amend."""
        return "uncached"

    async def tell(self, keys: Iterable[str]) -> bool:  # noqa: ARG002 -- the protocol's
        """Have nobody to tell."""
        return True

    async def listen(self, heard: Callable[[str], None]) -> None:
        """Have nobody to hear from."""

    def trusts(self, checked: float) -> bool:  # noqa: ARG002 -- the protocol's
        """Trust oneself."""
        return True
