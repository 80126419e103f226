"""What recipes read, declared: needs, and the plan that is their union. Pure.

A need stands in a parameter's annotation: `category: Annotated[str | None, Trait("favorite_blog_category")] = None`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from msgspec import Meta

from personalize.model import Collection, SectionName

MAX_EVENTS = 100
"""The Profile API's largest page of events, and the default of an `Events` need."""


@dataclass(frozen=True, slots=True)
class Trait:
    """One trait, computed trait or audience, by its key."""

    name: str

    def __post_init__(self) -> None:
        _check_names((self.name,))


@dataclass(frozen=True, slots=True)
class AllTraits:
    """All traits, computed traits and audiences, by their keys: a support desk's need, and too much for a page.

    Of more than 1,000 the Profile API's first 1,000.
    """


@dataclass(frozen=True, slots=True)
class Audiences:
    """The keys of the audiences that somebody is in."""


@dataclass(frozen=True, slots=True, init=False)
class Events:
    """The newest Track events of the last 14 days with these names.

    Args:
        names: event names; of any name when left out: a timeline's need, which is read by itself.
        limit: how many of them all are wanted, 1 to 100.
    """

    names: tuple[str, ...]
    limit: int

    def __init__(self, *names: str, limit: int = MAX_EVENTS) -> None:
        if not 1 <= limit <= MAX_EVENTS:
            raise ValueError(f"the limit of Events() is 1 to {MAX_EVENTS}, not {limit}")
        _check_names(names)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "limit", limit)


@dataclass(frozen=True, slots=True)
class ExternalIds:
    """The external ids that lead to the profile; of more than 125 the Profile API's first."""


@dataclass(frozen=True, slots=True)
class Links:
    """The accounts that a user belongs to, or an account's users; of more than 100 the Profile API's first."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Segment's own id of the profile, and when it came to be and changed."""


@dataclass(frozen=True, slots=True)
class Items:
    """All items of a provider, by the provider's name (`posts`)."""

    provider: str


@dataclass(frozen=True, slots=True)
class Now:
    """The time of the request, as an aware `datetime` in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A parameter of the request, with its bounds: the default is the parameter's own."""

    ge: int | float | None = None
    le: int | float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    description: str | None = None

    def meta(self) -> Meta:
        """Return the bounds as msgspec's constraint, which cannot itself be subclassed."""
        bounds: dict[str, Any] = {name: bound for name, bound in asdict(self).items() if bound is not None}
        return Meta(**bounds)


ProfileNeed: TypeAlias = Trait | AllTraits | Audiences | Events | ExternalIds | Links | Metadata
"""The needs that the Profile API fills."""

Need: TypeAlias = ProfileNeed | Items | Now | Param
"""Anything that may stand in a parameter's annotation."""


@dataclass(frozen=True, slots=True)
class TraitsSpec:
    """The traits section of a plan: one read names them all. `ttl` is in seconds."""

    names: tuple[str, ...]
    ttl: float

    @property
    def asked(self) -> tuple[str, ...]:
        """What a section records of it: one that was asked for all of this answers it."""
        return self.names


@dataclass(frozen=True, slots=True)
class EventsSpec:
    """The events section of a plan: the needs to fill from one newest-first list. `ttl` is in seconds."""

    needs: tuple[Events, ...]
    ttl: float

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all events that any need wants, sorted."""
        return tuple(sorted({name for need in self.needs for name in need.names}))

    @property
    def asked(self) -> tuple[str, ...]:
        """What a section records of it: the needs with their limits, for fewer events do not answer for more."""
        return tuple(f"{need.limit} {','.join(need.names)}" for need in self.needs)


@dataclass(frozen=True, slots=True)
class WholeSpec:
    """A section that has no names to choose from, as all events. `ttl` is in seconds."""

    section: SectionName
    ttl: float
    asked: tuple[str, ...] = ()


SectionSpec: TypeAlias = TraitsSpec | EventsSpec | WholeSpec
"""What to read for one section, and how long it stays fresh."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one recipe wants of profiles: its collection, its needs, and the greatest age that it takes as fresh."""

    collection: Collection
    needs: tuple[ProfileNeed, ...]
    ttl: float


class Plan:
    """The union of what all loaded recipes want, per collection and section.

    A request fetches only the sections that its recipes need, but each section for all recipes at once: a page's second
    recipe costs no upstream call. A section refreshes at the smallest `ttl` of the recipes that read it.

    Args:
        wanted: one entry a recipe.
        ttl_max: the ceiling of every section's time to live, in seconds (`CACHE_TTL`).
    """

    def __init__(self, wanted: Iterable[Wanted], *, ttl_max: float) -> None:
        recipes = tuple(wanted)
        self._sections: dict[Collection, dict[SectionName, SectionSpec]] = {
            "users": _sections([one for one in recipes if one.collection == "users"], ttl_max),
            "accounts": _sections([one for one in recipes if one.collection == "accounts"], ttl_max),
        }

    def reads(self, trait: str, *, audience: bool) -> bool:
        """Return whether any recipe reads a trait of users, or an audience if that is what it is."""
        sections = self._sections["users"]
        named = sections.get("traits")
        return (
            "all_traits" in sections
            or (audience and "audiences" in sections)
            or (named is not None and trait in named.asked)
        )

    def sections(self, collection: Collection, names: Iterable[SectionName]) -> Mapping[SectionName, SectionSpec]:
        """Return what to read for the named sections of a collection."""
        return {name: self._sections[collection][name] for name in names}


def section_of(need: ProfileNeed) -> SectionName:
    """Return the section that fills a need."""
    if isinstance(need, Events):
        return "events" if need.names else "all_events"
    return _SECTIONS[type(need)]


_SECTIONS: Mapping[type[ProfileNeed], SectionName] = {
    Trait: "traits",
    AllTraits: "all_traits",
    Audiences: "audiences",
    ExternalIds: "external_ids",
    Links: "links",
    Metadata: "metadata",
}


def _sections(recipes: list[Wanted], ttl_max: float) -> dict[SectionName, SectionSpec]:
    needs: dict[SectionName, set[ProfileNeed]] = {}
    for need in (need for one in recipes for need in one.needs):
        needs.setdefault(section_of(need), set()).add(need)
    return {name: _spec(name, needs[name], _ttl(name, recipes, ttl_max)) for name in sorted(needs)}


def _spec(name: SectionName, needs: set[ProfileNeed], ttl: float) -> SectionSpec:
    if name == "traits":
        return TraitsSpec(tuple(sorted(need.name for need in needs if isinstance(need, Trait))), ttl)
    if name == "events":
        events = [need for need in needs if isinstance(need, Events)]
        return EventsSpec(tuple(sorted(events, key=lambda need: (need.names, need.limit))), ttl)
    return WholeSpec(name, ttl)


def _ttl(section: SectionName, recipes: list[Wanted], ttl_max: float) -> float:
    readers = (one.ttl for one in recipes if any(section_of(need) == section for need in one.needs))
    return min(ttl_max, *readers)


def _check_names(names: Iterable[str]) -> None:
    """Refuse what cannot travel in the Profile API's comma-joined `include`."""
    for name in names:
        if not name:
            raise ValueError("a name may not be empty")
        if "," in name:
            raise ValueError(f"{name!r} contains a comma, which the Profile API cannot carry: give each name by itself")
