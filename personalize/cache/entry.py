"""How long a cached section is fresh, and what it looks like at rest. Pure."""

from typing import Protocol, TypeAlias

import msgspec

from personalize.errors import PersonalizeError
from personalize.model import AnySection, EventHistory, SectionName, Traits
from personalize.needs import SectionSpec

_Decoder: TypeAlias = "msgspec.msgpack.Decoder[AnySection] | msgspec.json.Decoder[AnySection]"

MSGPACK = b"\x01"
JSON = b"\x02"
"""The first byte of every stored value tells its format; an unknown one is a miss, so that formats can be changed."""

_DECODERS: dict[SectionName, dict[bytes, _Decoder]] = {
    "traits": {MSGPACK: msgspec.msgpack.Decoder(Traits), JSON: msgspec.json.Decoder(Traits)},
    "events": {MSGPACK: msgspec.msgpack.Decoder(EventHistory), JSON: msgspec.json.Decoder(EventHistory)},
}

SECTIONS = tuple(_DECODERS)
"""The names of all sections that can be kept."""


class UnreadableEntry(PersonalizeError):
    """A stored value is of another format, or not what it says it is."""


class Store(Protocol):
    """A tier: it reads, writes and drops, and decides nothing."""

    tier: str
    """Its name in metrics."""

    async def read(self, key: str, names: list[SectionName]) -> dict[SectionName, AnySection]:
        """Return those of a profile's named sections that are there."""
        ...

    async def write(self, key: str, name: SectionName, section: AnySection) -> None:
        """Keep one section of a profile."""
        ...

    async def drop(self, key: str) -> None:
        """Forget a profile."""
        ...


def fresh_for(section: AnySection, spec: SectionSpec, now: float, negative_ttl: float) -> float:
    """Return for how many seconds a section still answers a spec; 0 when it is too old or lacks a name.

    An answer that the profile does not exist counts for `negative_ttl` at most. `now` is in seconds since the epoch.
    """
    if not set(spec.asked) <= set(section.asked):
        return 0.0
    ttl = spec.ttl if section.content is not None else min(spec.ttl, negative_ttl)
    age = now - section.fetched_at
    return max(0.0, ttl - age) if age >= 0 else 0.0  # from the future: a clock stepped back, and must not make it young


def encode(section: AnySection) -> bytes:
    """Return a section as a format byte and msgpack; as JSON if it holds an integer past msgpack's 64 bits."""
    try:
        return MSGPACK + msgspec.msgpack.encode(section)
    except OverflowError:
        return JSON + msgspec.json.encode(section)


def decode(name: SectionName, stored: bytes) -> AnySection:
    """Return a stored section.

    Raises:
        UnreadableEntry: another format, another shape, or damage.
    """
    decoder = _DECODERS[name].get(stored[:1])
    if decoder is None:
        raise UnreadableEntry("unknown format")
    try:
        return decoder.decode(memoryview(stored)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableEntry(type(error).__name__) from None
