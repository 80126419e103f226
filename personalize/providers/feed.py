"""RSS 2.0 and Atom, as real software writes them, become posts of plain text and http(s) links.

They are parsed by another process, within bounds: see `parsing.py`.
"""

import calendar
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from personalize.errors import ProviderFailed
from personalize.model import Post
from personalize.providers.batch import Batch, batched
from personalize.providers.fetch import Document
from personalize.providers.text import excerpt_of, http_link, text_of

MAX_POSTS = 1000
"""Posts kept of one source, in its order. WordPress and Hugo write 10 to a few hundred; no page shows more than 20, and
beyond this a feed is an archive that would cost memory in every process."""

PARSE_SECONDS = 30.0
"""What parsing may take on a busy machine; its time of the processor is bounded besides."""

_PARSER = Path(__file__).with_name("parsing.py")

_Entry: TypeAlias = Mapping[str, Any]
"""What feedparser says: text, lists of such, and the nine numbers of a date."""

_END = re.compile(rb"</(?:\w+:)?(?:rss|feed|rdf)\s*>", re.IGNORECASE)
_TAIL = 4096
"""Bytes at the end of a feed in which it is closed: caches write comments after that."""


def read_feed(document: Document) -> Batch[Post]:
    """Return a feed's posts in its order; entries without an http(s) link are left out.

    The encoding is read from the document's own declaration (else UTF-8), and relative links are resolved against where
    it was found.

    Raises:
        ProviderFailed: it is not a feed, it broke off, none of its entries has a link, or it takes too much to parse.
    """
    feed = _parsed(document)
    entries = feed["entries"]
    # Many a feed is not well-formed and yet whole: feedparser reads it all the same.
    whole = not feed["stumbled"] or (entries and _END.search(document.body[-_TAIL:]))
    if not whole or not (entries or feed["version"]):
        raise ProviderFailed(f"{document.shown} is not a whole RSS or Atom feed")
    return batched((_post(one, document.shown) for one in entries), most=MAX_POSTS, shown=document.shown)


def _parsed(document: Document) -> Mapping[str, Any]:
    """Return what feedparser says, in a process that knows nothing of this one's secrets."""
    command = [sys.executable, "-I", str(_PARSER), document.shown]
    try:
        done = subprocess.run(  # noqa: S603 -- our own program; the location is one argument, and no shell reads it
            command, input=document.body, capture_output=True, env={}, timeout=PARSE_SECONDS, check=True
        )
    except subprocess.SubprocessError:
        raise ProviderFailed(f"{document.shown} takes more time or memory to parse than any feed should") from None
    feed: Mapping[str, Any] = json.loads(done.stdout)
    return feed


def _post(entry: _Entry, base: str) -> Post | None:
    url = http_link(entry.get("link"), base)
    if url is None:
        return None
    excerpt = excerpt_of(text_of(entry.get("summary")))
    title = text_of(entry.get("title")) or excerpt  # RSS allows an item to have only a description
    if not title:
        return None
    return Post(
        title=title,
        url=url,
        published_at=_published_at(entry),
        categories=_categories(entry),
        excerpt=excerpt,
        image=_image(entry, base),
    )


def _published_at(entry: _Entry) -> datetime | None:
    dates = (entry.get(name) for name in ("published_parsed", "updated_parsed"))
    if (date := next(filter(None, dates), None)) is None:
        return None
    try:
        return datetime.fromtimestamp(calendar.timegm(date), UTC)
    except (ValueError, OverflowError):  # `0000-00-00`, as databases write a missing date
        return None


def _categories(entry: _Entry) -> tuple[str, ...]:
    names = (text_of(tag.get("term")) for tag in entry.get("tags", ()))
    return tuple(dict.fromkeys(filter(None, names)))


def _image(entry: _Entry, base: str) -> str | None:
    """Return the first picture that is declared: Media RSS thumbnail or content, else an enclosure."""
    declared = [
        *(media.get("url") for media in entry.get("media_thumbnail", ())),
        *(media.get("url") for media in entry.get("media_content", ()) if _is_image(media)),
        *(file.get("href") for file in entry.get("enclosures", ()) if _is_image(file)),
    ]
    return next(filter(None, (http_link(link, base) for link in declared)), None)


def _is_image(media: _Entry) -> bool:
    return bool(media.get("medium") == "image" or media.get("type", "").startswith("image/"))
