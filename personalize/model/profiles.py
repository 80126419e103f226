"""Whom a request is about, and what is known of a profile."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from msgspec import Struct, field

JSON: TypeAlias = "str | int | float | bool | list[Any] | dict[str, Any] | None"
"""Any JSON value: what a trait or a property may hold."""

Collection: TypeAlias = Literal["users", "accounts"]
"""Segment's two collections of profiles."""

SectionName: TypeAlias = Literal[
    "traits", "all_traits", "audiences", "events", "all_events", "external_ids", "links", "metadata"
]
"""The parts of a profile as they are read: each by calls of one Profile API route."""

T_co = TypeVar("T_co", covariant=True)


class ExternalId(Struct, frozen=True, order=True):
    """One name of a profile: an id type and a value, written `user_id:u1`."""

    type: str
    value: str

    def __str__(self) -> str:
        return f"{self.type}:{self.value}"


class Visitor(Struct, frozen=True):
    """Whom a request is about: a user by one or more ids, an account by its group id, or both.

    `external_id` is a user's id of another type than the two that have names of their own; `proven` says that whoever
    asks has shown that the ids are one person's.
    """

    user_id: str | None = None
    anonymous_id: str | None = None
    group_id: str | None = None
    external_id: ExternalId | None = None
    proven: bool = False

    def external_ids(self, collection: Collection) -> tuple[ExternalId, ...]:
        """Return the ids to look up in `collection`, in the order in which they are asked."""
        if collection == "accounts":
            return () if self.group_id is None else (ExternalId("group_id", self.group_id),)
        ids = () if self.user_id is None else (ExternalId("user_id", self.user_id),)
        if self.anonymous_id is not None:
            ids = (*ids, ExternalId("anonymous_id", self.anonymous_id))
        return ids if self.external_id is None else (*ids, self.external_id)


class Event(Struct, frozen=True):
    """One Track call of a profile's last 14 days.

    Properties come from browsers and shops and may hold anything: the methods read one as the type that is meant, and
    answer `None` where it is missing or something else.
    """

    name: str
    timestamp: datetime
    properties: Mapping[str, Any] = field(default_factory=dict)
    message_id: str | None = None

    def text(self, name: str) -> str | None:
        """Return a property that is a text or a whole number (as ids often are), as text."""
        return as_text(self.properties.get(name))

    def number(self, name: str) -> float | None:
        """Return a property that is a number."""
        value = self.properties.get(name)
        try:
            return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        except OverflowError:  # JSON's whole numbers have no end
            return None

    def link(self, name: str) -> str | None:
        """Return a property that is an http(s) link."""
        value = self.properties.get(name)
        return value if isinstance(value, str) and value.lower().startswith(("http://", "https://")) else None

    def texts(self, name: str, of: str) -> list[str]:
        """Return one member of each object of a list: `texts("products", of="product_id")`."""
        items = self.properties.get(name)
        objects = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        return [text for item in objects if (text := as_text(item.get(of))) is not None]


class Section(Struct, Generic[T_co], frozen=True):
    """One part of a profile, as one fetch found it.

    `content` is `None` when the profile does not exist; `asked` says what was asked for, as its spec says it;
    `fetched_at` is in seconds since the epoch and travels with the value, so that nothing extends its age.
    """

    content: T_co | None
    asked: tuple[str, ...]
    fetched_at: float


class Link(Struct, frozen=True):
    """A profile that another is linked to: an account of a user, or a user of an account."""

    collection: Collection
    external_ids: tuple[ExternalId, ...]


class ProfileMetadata(Struct, frozen=True):
    """Segment's own id of a profile, and when it came to be, changed and ends; what is not known is `None`."""

    segment_id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None


Content: TypeAlias = (
    dict[str, Any] | tuple[str, ...] | tuple[Event, ...] | tuple[ExternalId, ...] | tuple[Link, ...] | ProfileMetadata
)
"""What a section may hold."""

Traits: TypeAlias = Section[dict[str, Any]]
"""Trait values by name."""

Names: TypeAlias = Section[tuple[str, ...]]
"""Names, as of the audiences that somebody is in."""

EventHistory: TypeAlias = Section[tuple[Event, ...]]
"""Events, newest first."""

Ids: TypeAlias = Section[tuple[ExternalId, ...]]
"""The external ids that lead to a profile."""

Links: TypeAlias = Section[tuple[Link, ...]]
"""The profiles that a profile is linked to."""

Told: TypeAlias = Section[ProfileMetadata]
"""What Segment tells of a profile itself."""

AnySection: TypeAlias = Traits | Names | EventHistory | Ids | Links | Told


Standing: TypeAlias = Literal["fresh", "stale", "expired", "gone"]
"""How a cached section stands with its age: serve it; serve it and read it again; read it first; there is none."""

Tier: TypeAlias = Literal["memory", "redis", "profile_api", "none"]
"""Where a section was found."""


class Reading(Struct, frozen=True):
    """How one section of a snapshot came to be known.

    `standing` is what the tiers had of it before anything was read, `ttl` the seconds for which it stays fresh (below
    zero: since when it is not), `age` those since it was read, `coalesced` whether it came from a read that somebody
    else had begun, and `seconds` the time until it was known.
    """

    tier: Tier
    standing: Standing
    ttl: float = 0.0
    age: float = 0.0
    coalesced: bool = False
    seconds: float = 0.0


class Snapshot(Struct, frozen=True):
    """What is known of one profile: its sections by name, and those whose last attempt failed.

    A failed section may be there all the same, as it was last known. `fresh_for` is in seconds: for how long all that
    was asked for stays as fresh as it must be.
    """

    sections: Mapping[SectionName, AnySection] = field(default_factory=dict)
    failed: frozenset[SectionName] = frozenset()
    fresh_for: float = 0.0
    readings: Mapping[SectionName, Reading] = field(default_factory=dict)

    @property
    def found(self) -> bool:
        """Whether any section says that the profile exists."""
        return any(section.content is not None for section in self.sections.values())

    @property
    def missing(self) -> frozenset[SectionName]:
        """The sections of which nothing is known, since they could not be read."""
        return self.failed - self.sections.keys()

    @property
    def stale(self) -> bool:
        """Whether any section is older than it should be."""
        return any(reading.ttl <= 0 for name, reading in self.readings.items() if name in self.sections)


def as_text(value: object) -> str | None:
    """Return a non-empty text, or a whole number as text; `None` for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None
