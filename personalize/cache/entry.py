"""How a cached section stands with its age, and what it looks like at rest. Pure."""

import math
import struct
from dataclasses import dataclass
from typing import Any, TypeAlias
from zlib import crc32

import msgspec
from msgspec import Struct

from personalize.errors import PersonalizeError
from personalize.model import (
    AnySection,
    EventHistory,
    Ids,
    Links,
    Names,
    SectionName,
    Standing,
    Told,
    Traits,
)
from personalize.needs import SectionSpec

_Decoder: TypeAlias = "msgspec.msgpack.Decoder[AnySection] | msgspec.json.Decoder[AnySection]"

MSGPACK = b"\x01"
JSON = b"\x02"
"""The first byte of every stored value tells its format; an unknown one is a miss, so that formats can be changed."""

JITTER = 0.1
"""How far from its nominal end an age may end, either way: what was read together does not grow old together."""

_SHAPES: dict[SectionName, Any] = {
    "traits": Traits,
    "all_traits": Traits,
    "audiences": Names,
    "events": EventHistory,
    "all_events": EventHistory,
    "external_ids": Ids,
    "links": Links,
    "metadata": Told,
}
_DECODERS: dict[SectionName, dict[bytes, _Decoder]] = {
    name: {MSGPACK: msgspec.msgpack.Decoder(shape), JSON: msgspec.json.Decoder(shape)}
    for name, shape in _SHAPES.items()
}

SECTIONS = tuple(_SHAPES)
"""The names of all sections that can be kept."""


class UnreadableEntry(PersonalizeError):
    """A stored value is of another format, or not what it says it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """The ages at which a section's standing changes, in seconds; until which it is fresh its spec says.

    Args:
        revalidate: until then it is served at once and read again behind the visitor's back.
        stale: until then it is better than nothing, when it cannot be read again. Nothing older is ever served.
        negative: until then "no such profile" is believed.
        jitter: the fraction by which the first two and the spec's age may be longer or shorter.
    """

    revalidate: float
    stale: float
    negative: float
    jitter: float = JITTER


class Judgement(Struct, frozen=True):
    """How a section stands, how many seconds it stays fresh (below zero: since when it is not), and its age in them."""

    standing: Standing
    fresh_for: float
    age: float = 0.0


GONE = Judgement("gone", 0.0)
"""What is not there, or too old to be served to anybody."""


def judge(section: AnySection, spec: SectionSpec, now: float, ages: Ages) -> Judgement:
    """Return how a section stands towards a spec; `now` is in seconds since the epoch.

    One from the future is stale: a clock was stepped, and nobody knows its age. So is one that was not asked for all
    the names that are needed now: a deploy with one more trait must not make everybody unknown.
    """
    age = max(0.0, now - section.fetched_at)
    if age >= ages.stale:
        return GONE
    spread = _spread(section.fetched_at, ages.jitter)
    if section.content is None:  # whatever was asked of a profile that does not exist
        fresh_for = min(spec.ttl, ages.negative) * spread - age
        return Judgement("fresh" if fresh_for > 0 and section.fetched_at <= now else "expired", fresh_for, age)
    fresh_for = spec.ttl * spread - age
    if section.fetched_at > now or not set(spec.asked) <= set(section.asked):
        fresh_for = min(0.0, fresh_for)
    if fresh_for > 0:
        return Judgement("fresh", fresh_for, age)
    return Judgement("stale" if age < ages.revalidate * spread else "expired", fresh_for, age)


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
        section = decoder.decode(memoryview(stored)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableEntry(type(error).__name__) from None
    if not math.isfinite(section.fetched_at):
        raise UnreadableEntry("no age")
    return section


def _spread(fetched_at: float, jitter: float) -> float:
    """Return a factor around 1 that looks random and is the same for one section on every replica."""
    return 1 + jitter * (2 * crc32(struct.pack("<d", fetched_at)) / 0xFFFFFFFF - 1)
