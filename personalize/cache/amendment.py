"""What becomes of a cached profile when something of it is said to have changed. Pure.

What is said carries the time of the change, and a section the time of its read. A value is only put into a section
that was read before the change; where nobody can tell which is the later, the section is aged: whoever wants it next
reads it first, and it is still there if that fails.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, cast

from msgspec.structs import replace

from personalize.cache.entry import Ages
from personalize.model import JSON, AnySection, SectionName

AHEAD_SECONDS = 5.0
"""How far a change may lie in the future by our clock: beyond that a clock is wrong, and no value believed."""

MAX_SAID = 64
"""Traits of a profile whose last change is remembered; without that a repetition costs a read."""

Outcome: TypeAlias = Literal["written", "invalidated", "repeated", "uncached"]
"""A new value was put in; what is there was aged; it was accounted for already; nothing is there."""


@dataclass(frozen=True, slots=True)
class Record:
    """All that a tier has of one profile.

    `said` tells for traits until when their changes are accounted for, in seconds since the epoch.
    """

    sections: Mapping[SectionName, AnySection] = field(default_factory=dict)
    said: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Amended:
    """What a record becomes, and in a word what happened to it; nothing has to be kept if it was accounted for."""

    record: Record
    outcome: Outcome


Amend: TypeAlias = Callable[[Record], Amended]


class Amendment(Protocol):
    """Something that is said to have changed."""

    def amended(self, record: Record, now: float, ages: Ages) -> Amended:
        """Return what becomes of a record; `now` is in seconds since the epoch."""
        ...


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something of a profile has changed: all of it is aged."""

    def amended(self, record: Record, now: float, ages: Ages) -> Amended:
        """Return a record whose sections have to be read before they are served."""
        sections = _kept({name: _aged(section, now, ages) for name, section in record.sections.items()})
        return Amended(Record(sections, record.said), "invalidated" if record.sections else "uncached")


@dataclass(frozen=True, slots=True)
class Change:
    """A computed trait or an audience has another value.

    Args:
        trait: its key.
        value: what it is now; `None` is none any more.
        at: since when, in seconds since the epoch.
        audience: whether it is an audience, of which the value says who is in it.
        certain: whether the value may be believed, or is only reason to read anew: ids that were seen together are
            never served for one another.
    """

    trait: str
    value: JSON
    at: float
    audience: bool = False
    certain: bool = True

    def amended(self, record: Record, now: float, ages: Ages) -> Amended:
        """Return a record that accounts for the change."""
        until = record.said.get(self.trait, -math.inf)
        told = {name: self._told(name, section) for name, section in record.sections.items()}
        if self.at < until or (self.at == until and (not self.certain or told == record.sections)):
            return Amended(record, "repeated")
        ahead = self.at > now + AHEAD_SECONDS
        said = record.said if ahead else _newest({**record.said, self.trait: self.at})
        # Of two changes at one time nobody knows which is the later.
        believed = self.certain and not ahead and self.at > until
        concerned = {name: section for name, section in record.sections.items() if told[name] is not section}
        written = {name for name, one in concerned.items() if believed and told[name] and one.fetched_at < self.at}
        aged = {name: _aged(section, now, ages) for name, section in concerned.items() if name not in written}
        outcome: Outcome = "written" if written else "invalidated" if aged else "uncached"
        return Amended(Record(_kept({**told, **aged}), said), outcome)

    def _told(self, name: SectionName, section: AnySection) -> AnySection | None:
        """Return a section with the new value; itself where the trait is not in it, `None` where that is unknown."""
        if section.content is None:  # nobody by that id was known; now somebody is
            return None
        if name == "all_traits" or (name == "traits" and self.trait in section.asked):
            traits = {**cast("dict[str, JSON]", section.content), self.trait: self.value}
            if self.value is None:
                del traits[self.trait]
            return replace(section, content=traits)
        if name == "audiences" and self.audience:
            return self._entered(section)
        return section

    def _entered(self, section: AnySection) -> AnySection | None:
        members = cast("tuple[str, ...]", section.content)
        if self.value is True:
            return section if self.trait in members else replace(section, content=(*members, self.trait))
        return replace(section, content=tuple(one for one in members if one != self.trait))


def _aged(section: AnySection, now: float, ages: Ages) -> AnySection | None:
    """Return a section as one that has to be read first, half way to being gone; nothing of one that is not there."""
    if section.content is None:
        return None
    age = (ages.revalidate * (1 + ages.jitter) + ages.stale) / 2
    return replace(section, fetched_at=min(section.fetched_at, now - age))


def _kept(sections: Mapping[SectionName, AnySection | None]) -> Mapping[SectionName, AnySection]:
    return {name: section for name, section in sections.items() if section is not None}


def _newest(said: Mapping[str, float]) -> Mapping[str, float]:
    """Return what is remembered of changes: the newest of them."""
    return dict(sorted(said.items(), key=lambda one: one[1])[-MAX_SAID:])
