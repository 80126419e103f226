"""Items of content: posts, products and variants, each with what finds them."""

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

Moment: TypeAlias = Annotated[datetime, Meta(tz=True)]
"""A time with its offset from UTC: RFC 3339's, which OpenAPI calls `date-time`."""

T_co = TypeVar("T_co", covariant=True)
_OLDEST = datetime.min.replace(tzinfo=UTC)


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
