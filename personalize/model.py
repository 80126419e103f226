"""Values: what a request is about, what is known of a profile, and items of content. No I/O."""

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

from msgspec import Meta, Struct, field
from msgspec.structs import force_setattr

JSON: TypeAlias = "str | int | float | bool | list[Any] | dict[str, Any] | None"
"""Any JSON value: what a trait or a property may hold."""

Moment: TypeAlias = Annotated[datetime, Meta(tz=True)]
"""A time with its offset from UTC: RFC 3339's, which OpenAPI calls `date-time`."""

Collection: TypeAlias = Literal["users", "accounts"]
"""Segment's two collections of profiles."""

SectionName: TypeAlias = Literal[
    "traits", "all_traits", "audiences", "events", "all_events", "external_ids", "links", "metadata"
]
"""The parts of a profile as they are read: each by calls of one Profile API route."""

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

    `external_id` is a user's id of another type than the two that have names of their own; `proven` says that whoever
    asks has shown who they are, so that the ids are believed to be one person's.
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
    published_at: Moment | None = None
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
    last_viewed_at: Moment | None = None


def as_text(value: object) -> str | None:
    """Return a non-empty text, or a whole number as text; `None` for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


class Posts:
    """A blog's posts, newest first, found by category without looking at each.

    Args:
        posts: in any order; of two with one URL the first stays.
        slugs: names of categories by their slugs, where a blog has slugs of its own; others follow from the names.
    """

    def __init__(self, posts: Iterable[Post] = (), *, slugs: Mapping[str, str] | None = None) -> None:
        unique: dict[str, Post] = {}
        for post in posts:
            unique.setdefault(post.url, post)
        self._newest = tuple(sorted(unique.values(), key=_published, reverse=True))
        self._by_category = _Index((post, post.categories) for post in self._newest)
        self._names = {_folded(slug): name for slug, name in (slugs or {}).items()}

    def __len__(self) -> int:
        return len(self._newest)

    def newest(self) -> list[Post]:
        """Return every post, newest first."""
        return list(self._newest)

    def in_category(self, category: str | None) -> list[Post]:
        """Return the posts of a category, newest first: by its name or its slug, in any case; none for `None`."""
        if category is None:
            return []
        return self._by_category.named(category) or self._by_category.found(
            self._names.get(_folded(category), category)
        )


class Products:
    """A shop's products, found by id and by category without looking at each.

    Args:
        products: in the catalogue's order; of two with one id the first stays.
    """

    def __init__(self, products: Iterable[Product] = ()) -> None:
        self._by_id: dict[str, Product] = {}
        for product in products:
            self._by_id.setdefault(product.product_id, product)
        self._by_category = _Index((product, _levels(product.category)) for product in self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, product_id: str | None) -> Product | None:
        """Return the product of an id; `None` where there is none."""
        return None if product_id is None else self._by_id.get(product_id)

    def newest(self) -> list[Product]:
        """Return every product in the catalogue's order: newest first, where that lists them so."""
        return list(self._by_id.values())

    def in_category(self, category: str | None) -> list[Product]:
        """Return the products of a category, in the catalogue's order: by its name or its slug, in any case.

        A product of `Home > Kitchen > Pans` is also one of `Home`, of `Kitchen` and of `Pans`.
        """
        return [] if category is None else self._by_category.found(category)


class Variant(Struct, frozen=True):
    """What the members of an audience see; without an audience it is what everybody else sees.

    All visitors share its content, so that it cannot be changed, and its lists are tuples.
    """

    name: str
    content: Mapping[str, Any]
    audience: str | None = None

    def __post_init__(self) -> None:
        force_setattr(self, "content", _frozen(self.content))


class Variants:
    """What different visitors see in one place.

    Args:
        variants: the first one whose audience a visitor is in is what that visitor sees.
    """

    def __init__(self, variants: Iterable[Variant] = ()) -> None:
        self._variants = tuple(variants)

    def __len__(self) -> int:
        return len(self._variants)

    def of(self, audiences: Iterable[str]) -> Variant | None:
        """Return what a member of these audiences sees; `None` where nothing is for everybody."""
        members = frozenset(audiences)
        return next((one for one in self._variants if one.audience is None or one.audience in members), None)


def _frozen(value: Any) -> Any:  # noqa: ANN401 -- any JSON
    """Return a value that cannot be changed, however deep."""
    if isinstance(value, Mapping):
        return MappingProxyType({name: _frozen(member) for name, member in value.items()})
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _published(post: Post) -> datetime:
    return post.published_at or _OLDEST


def _levels(category: str | None) -> tuple[str, ...]:
    """Return a category and, if it is a path as shops write it, the steps of that."""
    return () if category is None else (category, *category.split(">"))


class _Index(Generic[T_co]):
    """Items by the names of their categories, and by the slugs of those."""

    def __init__(self, items: Iterable[tuple[T_co, Iterable[str]]]) -> None:
        self._by_name: dict[str, list[T_co]] = {}
        self._by_slug: dict[str, list[T_co]] = {}
        for item, categories in items:
            for index, key_of in ((self._by_name, _folded), (self._by_slug, _slug)):
                for key in {key_of(category) for category in categories} - {""}:  # `&` has no slug
                    index.setdefault(key, []).append(item)

    def named(self, category: str) -> list[T_co]:
        """Return the items of a category by its name."""
        return list(self._by_name.get(_folded(category), ()))

    def found(self, category: str) -> list[T_co]:
        """Return the items of a category by its name, else by its slug."""
        return self.named(category) or list(self._by_slug.get(_slug(category), ()))


def _folded(category: str) -> str:
    return category.strip().casefold()


def _slug(category: str) -> str:
    """Return a category's slug as WordPress writes it: `Größe & Maß` becomes `grose-mas`."""
    plain = unicodedata.normalize("NFKD", category.replace("ß", "s").casefold())
    words = "".join(letter if letter.isalnum() else " " for letter in plain if not unicodedata.combining(letter))
    return "-".join(words.split())
