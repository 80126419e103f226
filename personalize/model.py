"""Values: what a request is about, what is known of a profile, and items of content. No I/O."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from msgspec import Struct, field

JSON: TypeAlias = "str | int | float | bool | list[Any] | dict[str, Any] | None"
"""Any JSON value: what a trait or a property may hold."""

Collection: TypeAlias = Literal["users", "accounts"]
"""Segment's two collections of profiles."""

SectionName: TypeAlias = Literal["traits", "events"]
"""The parts of a profile, one Profile API route each."""

T_co = TypeVar("T_co", covariant=True)
_OLDEST = datetime.min.replace(tzinfo=UTC)


class ExternalId(Struct, frozen=True, order=True):
    """One name of a profile: an id type and a value, written `user_id:u1`."""

    type: str
    value: str

    def __str__(self) -> str:
        return f"{self.type}:{self.value}"


class Visitor(Struct, frozen=True):
    """Whom a request is about: a user by one or more ids, an account by its group id, or both.

    `external_id` is a user's id of another type than the two that have names of their own.
    """

    user_id: str | None = None
    anonymous_id: str | None = None
    group_id: str | None = None
    external_id: ExternalId | None = None

    def external_ids(self, collection: Collection) -> tuple[ExternalId, ...]:
        """Return the ids to look up in `collection`, in the order in which they are asked."""
        if collection == "accounts":
            return () if self.group_id is None else (ExternalId("group_id", self.group_id),)
        named = {"user_id": self.user_id, "anonymous_id": self.anonymous_id}
        ids = tuple(ExternalId(kind, value) for kind, value in named.items() if value is not None)
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


Traits: TypeAlias = Section[dict[str, Any]]
"""Trait values by name."""

EventHistory: TypeAlias = Section[tuple[Event, ...]]
"""Events, newest first."""

AnySection: TypeAlias = Traits | EventHistory


Standing: TypeAlias = Literal["fresh", "stale", "expired", "gone"]
"""How a cached section stands with its age: serve it; serve it and read it again; read it first; there is none."""

Tier: TypeAlias = Literal["memory", "redis", "profile_api", "none"]
"""Where a section was found."""


class Reading(Struct, frozen=True):
    """How one section of a snapshot came to be known.

    `standing` is what the tiers had of it before anything was read, `ttl` the seconds for which it stays fresh (below
    zero: since when it is not), `coalesced` whether it came from a read that somebody else had begun, and `seconds` the
    time until it was known.
    """

    tier: Tier
    standing: Standing
    ttl: float = 0.0
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


class Post(Struct, frozen=True, kw_only=True):
    """An article of a blog; `title` and `excerpt` are plain text, `url` and `image` are http(s) links."""

    title: str
    url: str
    published_at: datetime | None = None
    categories: tuple[str, ...] = ()
    excerpt: str = ""
    image: str | None = None


class Product(Struct, frozen=True, kw_only=True):
    """An article of a shop; what is not known is `None`."""

    product_id: str
    name: str | None = None
    url: str | None = None
    image: str | None = None
    price: float | None = None
    category: str | None = None
    last_viewed_at: datetime | None = None


def as_text(value: object) -> str | None:
    """Return a non-empty text, or a whole number as text; `None` for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


class Posts:
    """A blog's posts, newest first, found by category without looking at each.

    Args:
        posts: in any order; of two with one URL the first stays.
    """

    def __init__(self, posts: Iterable[Post] = ()) -> None:
        unique: dict[str, Post] = {}
        for post in posts:
            unique.setdefault(post.url, post)
        self._newest = tuple(sorted(unique.values(), key=_published, reverse=True))
        self._by_name = _indexed(self._newest, _folded)
        self._by_slug = _indexed(self._newest, _slug)

    def __len__(self) -> int:
        return len(self._newest)

    def newest(self) -> list[Post]:
        """Return every post, newest first."""
        return list(self._newest)

    def in_category(self, category: str | None) -> list[Post]:
        """Return the posts of a category, newest first: by its name or its slug, in any case; none for `None`."""
        if category is None:
            return []
        return list(self._by_name.get(_folded(category)) or self._by_slug.get(_slug(category)) or ())


def _published(post: Post) -> datetime:
    return post.published_at or _OLDEST


def _indexed(posts: Iterable[Post], key_of: Callable[[str], str]) -> dict[str, list[Post]]:
    """Return the posts by a key of their categories, leaving out what has none (`&` has no slug)."""
    index: dict[str, list[Post]] = {}
    for post in posts:
        for key in {key_of(category) for category in post.categories} - {""}:
            index.setdefault(key, []).append(post)
    return index


def _folded(category: str) -> str:
    return category.strip().casefold()


def _slug(category: str) -> str:
    """Return a category's slug as WordPress writes it: `Größe & Maß` becomes `grose-mas`."""
    plain = unicodedata.normalize("NFKD", category.replace("ß", "s").casefold())
    words = "".join(letter if letter.isalnum() else " " for letter in plain if not unicodedata.combining(letter))
    return "-".join(words.split())
