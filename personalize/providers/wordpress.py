"""WordPress's REST API, with pretty and with plain permalinks, becomes posts with the names of their categories.

https://developer.wordpress.org/rest-api/reference/posts/
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import msgspec
from msgspec import Struct, field

from personalize.errors import ProviderFailed
from personalize.model import Post
from personalize.providers.batch import Batch, batched
from personalize.providers.documents import Documents
from personalize.providers.feed import MAX_POSTS
from personalize.providers.fetch import Document, Refused, is_web, without_secrets
from personalize.providers.text import excerpt_of, http_link, moment_of, text_of

PER_PAGE = 100
"""Of posts and of categories: the most that WordPress answers at once."""

MAX_PAGES = MAX_POSTS // PER_PAGE

READ_WHOLE = 10
"""Polls after which everything is read although no post has changed: another category's name, another picture."""

_POSTS = "wp/v2/posts"
_CATEGORIES = "wp/v2/categories"
_FIELDS = "link,title,excerpt,date_gmt,categories,_links,_embedded"
_OURS = {"page", "per_page", "offset", "orderby", "order", "_fields", "_embed", "_envelope", "context", "rest_route"}
"""Parameters that are not the operator's to set; all others say which posts are wanted."""

_BAD_REQUEST = 400


@dataclass(frozen=True, slots=True)
class Api:
    """Where a WordPress answers its API: the root's URL, the route of the posts, and which of them are wanted."""

    root: str
    route: str = _POSTS
    filters: tuple[tuple[str, str], ...] = ()

    @classmethod
    def at(cls, location: str) -> "Api":
        """Return the API to which a URL leads: the API's own, that of its version, or that of a collection of posts."""
        parts = urlsplit(location)
        query = parse_qsl(parts.query)
        plain = dict(query).get("rest_route")
        before, version, collection = (plain or parts.path).rstrip("/").partition("/wp/v2")
        filters = tuple(one for one in query if one[0] not in _OURS)
        # `/index.php?rest_route=/` with plain permalinks, `/wp-json/` with pretty ones
        path, asked = (parts.path, urlencode({"rest_route": f"{before}/"})) if plain else (f"{before}/", "")
        root = urlunsplit((parts.scheme, parts.netloc, path, asked, ""))
        return cls(root, f"wp/v2{collection}" if version and collection else _POSTS, filters)

    def url(self, route: str, asked: Mapping[str, object]) -> str:
        """Return the URL of a route with its parameters; the posts are those that are wanted."""
        parts = urlsplit(self.root)
        query = [(name, value + route) for name, value in parse_qsl(parts.query)]
        path = parts.path if query else parts.path + route
        filters = self.filters if route == self.route else ()
        return urlunsplit((parts.scheme, parts.netloc, path, urlencode([*query, *filters, *asked.items()]), ""))


class _Rendered(Struct, frozen=True):
    rendered: str = ""


class _Media(Struct, frozen=True):
    source_url: str | None = None


class _Embedded(Struct, frozen=True):
    media: list[_Media] = field(name="wp:featuredmedia", default_factory=list)


class _Told(Struct, frozen=True):
    """A post as WordPress tells it; dates are in UTC without saying so, titles and excerpts are HTML."""

    link: str
    title: _Rendered = _Rendered()
    excerpt: _Rendered = _Rendered()
    date_gmt: str | None = None
    categories: list[int] = []
    embedded: _Embedded = field(name="_embedded", default=_Embedded())


class _Category(Struct, frozen=True):
    id: int
    name: str
    slug: str


@dataclass(frozen=True, slots=True)
class _Page:
    """One page of a collection: its objects, and how many pages and objects WordPress says that there are."""

    objects: list[Any]
    pages: int | None
    total: str


class WordPress:
    """The posts of one WordPress.

    Its API knows no conditional requests. So the newest change and the number of posts are asked for, and the posts
    only if these are others, or after `READ_WHOLE` polls.

    Args:
        api: where it answers.
        documents: what reads it.
    """

    def __init__(self, api: Api, documents: Documents) -> None:
        self._api = api
        self._documents = documents
        self._batch: Batch[Post] | None = None
        self._change: object = None
        self._polls = 0

    async def posts(self) -> Batch[Post]:
        """Return the newest posts, up to the cap.

        Raises:
            ProviderFailed: WordPress could not be read.
        """
        change = await self._last_change()
        if self._batch is None or change != self._change or self._polls >= READ_WHOLE:
            self._batch, self._change, self._polls = await self._read(), change, 0
        self._polls += 1
        return self._batch

    async def _last_change(self) -> object:
        asked = {"per_page": 1, "orderby": "modified", "_fields": "id,modified_gmt"}
        page = await self._documents.read(self._api.url(self._api.route, asked), _page)
        return page.total, page.objects

    async def _read(self) -> Batch[Post]:
        told = await self._all(_CATEGORIES, {"_fields": "id,name,slug"})
        categories = {one.id: one for one in _converted(told, _Category)}
        posts = await self._all(self._api.route, {"_embed": "wp:featuredmedia", "_fields": _FIELDS})
        names = {number: text_of(one.name) for number, one in categories.items()}
        shown = without_secrets(self._api.root)
        batch = batched((_post(one, names) for one in posts), most=MAX_POSTS, shown=shown)
        slugs = {unquote(one.slug): names[one.id] for one in categories.values()}  # `%e6%97%a5` is how 日 is kept
        return Batch(batch.items, batch.left_out, slugs)

    async def _all(self, route: str, asked: Mapping[str, str]) -> list[Any]:
        """Return the objects of all pages of a collection, up to the cap."""
        objects: list[Any] = []
        for number in range(1, MAX_PAGES + 1):
            url = self._api.url(route, {"per_page": PER_PAGE, "page": number, **asked})
            try:
                page = await self._documents.read(url, _page)
            except Refused as refused:
                if number > 1 and refused.answer == _BAD_REQUEST:  # where a proxy keeps back how many pages there are
                    break
                raise
            objects += page.objects
            if number >= (page.pages or number + (len(page.objects) == PER_PAGE)):
                break
        return objects


def is_root(value: object) -> bool:
    """Whether JSON is what WordPress answers at the root of its API, or of its version 2."""
    if not isinstance(value, dict):
        return False
    namespaces = value.get("namespaces")
    return value.get("namespace") == "wp/v2" or (isinstance(namespaces, list) and "wp/v2" in namespaces)


def is_collection(value: object, document: Document) -> bool:
    """Whether JSON is a page of WordPress's posts, and not a file of such."""
    if not is_web(document.location) or not isinstance(value, list) or "/wp/v2/" not in unquote(document.location):
        return False
    return not value or (isinstance(value[0], dict) and isinstance(value[0].get("title"), dict))


def _page(document: Document) -> _Page:
    try:
        objects = msgspec.json.decode(document.body, type=list[Any])
    except (ValueError, RecursionError):  # what msgspec raises of its own is a ValueError too
        raise ProviderFailed(f"{document.shown} is no answer of WordPress's API") from None
    pages = document.headers.get("x-wp-totalpages", "")
    return _Page(objects, int(pages) if pages.isdecimal() else None, document.headers.get("x-wp-total", ""))


def _converted(told: list[Any], kind: type[_Category]) -> Iterator[_Category]:
    for one in told:
        try:
            yield msgspec.convert(one, kind)
        except msgspec.ValidationError:
            continue


def _post(told: object, names: Mapping[int, str]) -> Post | None:
    try:
        post = msgspec.convert(told, _Told)
    except msgspec.ValidationError:
        return None
    excerpt = excerpt_of(text_of(post.excerpt.rendered))
    title, url = text_of(post.title.rendered) or excerpt, http_link(post.link)
    if url is None:
        return None
    return Post(
        title=title,
        url=url,
        published_at=moment_of(post.date_gmt),
        categories=tuple(names[number] for number in post.categories if number in names),
        excerpt=excerpt,
        image=next(filter(None, (http_link(one.source_url) for one in post.embedded.media)), None),
    )
