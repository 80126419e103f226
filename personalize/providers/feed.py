"""RSS 2.0 and Atom, as real software writes them, become posts of plain text and http(s) links. Pure: bytes in."""

import calendar
import io
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import feedparser

from personalize.errors import ProviderFailed
from personalize.model import Post
from personalize.providers.batch import Batch, batched
from personalize.providers.fetch import Document
from personalize.providers.text import excerpt_of, http_link, text_of

MAX_POSTS = 1000
"""Posts kept of one source, in its order. WordPress and Hugo write 10 to a few hundred; no page shows more than 20, and
beyond this a feed is an archive that would cost memory in every process."""

_Entry: TypeAlias = Mapping[str, Any]
"""feedparser ships no types; its dictionaries hold text, lists of dictionaries and `struct_time`."""

_END = re.compile(rb"</(?:\w+:)?(?:rss|feed|rdf)\s*>", re.IGNORECASE)
_TAIL = 4096
"""Bytes at the end of a feed in which it is closed: caches write comments after that."""


def read_feed(document: Document) -> Batch[Post]:
    """Return a feed's posts in its order; entries without an http(s) link are left out.

    The encoding is read from the document's own declaration (else UTF-8), and relative links are resolved against where
    it was found.

    Raises:
        ProviderFailed: it is not a feed, it broke off, or none of its entries has a link.
    """
    feed: _Entry = feedparser.parse(
        io.BytesIO(document.body),  # as plain bytes, a body that happens to be a file's name would be opened
        # Without the media type, a document that declares no encoding would be read as ISO 8859-1.
        response_headers={"content-location": document.shown, "content-type": "application/xml"},
        resolve_relative_uris=False,  # inside markup, of which only the text is kept
        sanitize_html=False,  # nh3 does it, for every text alike
    )
    entries = feed["entries"]
    # Many a feed is not well-formed and yet whole: feedparser reads it all the same.
    whole = not feed["bozo"] or (entries and _END.search(document.body[-_TAIL:]))
    if not whole or not (entries or feed.get("version")):
        raise ProviderFailed(f"{document.shown} is not a whole RSS or Atom feed")
    return batched(map(_post, entries), most=MAX_POSTS, shown=document.shown)


def _post(entry: _Entry) -> Post | None:
    url = http_link(entry.get("link"))
    if url is None:
        return None
    excerpt = excerpt_of(text_of(entry.get("summary")))
    return Post(
        title=text_of(entry.get("title")) or excerpt,  # RSS allows an item to have only a description
        url=url,
        published_at=_published_at(entry),
        categories=_categories(entry),
        excerpt=excerpt,
        image=_image(entry),
    )


def _published_at(entry: _Entry) -> datetime | None:
    # Asked with `in`: feedparser answers `get("updated_parsed")` with the published date, and a warning.
    dates = (entry[name] for name in ("published_parsed", "updated_parsed") if name in entry)
    if (date := next(filter(None, dates), None)) is None:
        return None
    try:
        return datetime.fromtimestamp(calendar.timegm(date), UTC)
    except (ValueError, OverflowError):  # `0000-00-00`, as databases write a missing date
        return None


def _categories(entry: _Entry) -> tuple[str, ...]:
    names = (text_of(tag.get("term")) for tag in entry.get("tags", ()))
    return tuple(dict.fromkeys(filter(None, names)))


def _image(entry: _Entry) -> str | None:
    """Return the first picture that is declared: Media RSS thumbnail or content, else an enclosure."""
    declared = [
        *(media.get("url") for media in entry.get("media_thumbnail", ())),
        *(media.get("url") for media in entry.get("media_content", ()) if _is_image(media)),
        *(file.get("href") for file in entry.get("enclosures", ()) if _is_image(file)),
    ]
    return next(filter(None, map(http_link, declared)), None)


def _is_image(media: _Entry) -> bool:
    return bool(media.get("medium") == "image" or media.get("type", "").startswith("image/"))
