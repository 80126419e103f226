"""Posts in JSON become posts of plain text and http(s) links: JSON Feed 1.0 and 1.1, and our own shape. Pure."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from personalize.model import Post
from personalize.providers.batch import Batch, batched
from personalize.providers.feed import MAX_POSTS
from personalize.providers.fetch import Document
from personalize.providers.text import excerpt_of, http_link, moment_of, one_line, text_of


class _Item(Struct):
    """An item of a JSON Feed (https://www.jsonfeed.org/version/1.1/); both versions have all of these members."""

    url: str | None = None
    external_url: str | None = None
    title: str | None = None
    summary: str | None = None
    content_text: str | None = None
    content_html: str | None = None
    image: str | None = None
    banner_image: str | None = None
    date_published: str | None = None
    date_modified: str | None = None
    tags: list[str] | None = None


class _Own(Struct):
    """A post as we answer it."""

    title: str
    url: str
    published_at: str | None = None
    categories: list[str] = []
    excerpt: str = ""
    image: str | None = None


def read_json_feed(items: Iterable[Any], document: Document) -> Batch[Post]:
    """Return the posts of a JSON Feed's items, in its order.

    Raises:
        ProviderFailed: there are items, but none with a link.
    """
    return batched((_post(one, document.shown) for one in items), most=MAX_POSTS, shown=document.shown)


def read_own_posts(items: Iterable[Any], document: Document) -> Batch[Post]:
    """Return the posts of a list in the shape of our own answers, in its order; `title` and `url` are required.

    Raises:
        ProviderFailed: there are items, but no usable one.
    """
    return batched((_own_post(one, document.shown) for one in items), most=MAX_POSTS, shown=document.shown)


def _post(told: object, base: str) -> Post | None:
    try:
        item = msgspec.convert(told, _Item)
    except msgspec.ValidationError:
        return None
    url = http_link(item.url or item.external_url, base)
    excerpt = excerpt_of(one_line(item.summary or item.content_text) or text_of(item.content_html))
    title = one_line(item.title) or excerpt
    if url is None or not title:
        return None
    return Post(
        title=title,
        url=url,
        published_at=moment_of(item.date_published) or moment_of(item.date_modified),
        categories=_categories(item.tags or ()),
        excerpt=excerpt,
        image=http_link(item.image, base) or http_link(item.banner_image, base),
    )


def _own_post(told: object, base: str) -> Post | None:
    try:
        own = msgspec.convert(told, _Own)
    except msgspec.ValidationError:
        return None
    title, url = one_line(own.title), http_link(own.url, base)
    if not title or url is None:
        return None
    return Post(
        title=title,
        url=url,
        published_at=moment_of(own.published_at),
        categories=_categories(own.categories),
        excerpt=excerpt_of(one_line(own.excerpt)),
        image=http_link(own.image, base),
    )


def _categories(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(one_line, names))))
