"""RSS 2.0 and Atom, as real software writes them, become posts of plain text and http(s) links. Pure: bytes in."""

import calendar
import html
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import feedparser
import nh3

from personalize.errors import ProviderFailed
from personalize.model import Post

MAX_POSTS = 1000
"""Posts kept of one feed, in its order. WordPress and Hugo write 10 to a few hundred; no page shows more than 20, and
beyond this a feed is an archive that would cost memory in every process."""

MAX_EXCERPT = 300
"""Characters of an excerpt, its ellipsis included: two or three lines in a teaser."""

_Entry: TypeAlias = Mapping[str, Any]
"""feedparser ships no types; its dictionaries hold text, lists of dictionaries and `struct_time`."""

_BLOCK = re.compile(
    r"(?=</?(?:address|blockquote|br|dd|div|dt|figure|h[1-6]|hr|li|ol|p|pre|section|td|th|tr|ul)\b)", re.IGNORECASE
)


def read_feed(body: bytes, *, url: str = "") -> list[Post]:
    """Return a feed's posts in its order; entries without an http(s) link are left out.

    Args:
        body: the document as it was received; its encoding is read from its own declaration (else UTF-8).
        url: where it came from, without secrets: relative links are resolved against it, and an error names it.

    Raises:
        ProviderFailed: the body is not a feed, or broke off before its first entry.
    """
    feed: _Entry = feedparser.parse(
        io.BytesIO(body),  # as plain bytes, a body that happens to be a file's name would be opened
        # Without the media type, a document that declares no encoding would be read as ISO 8859-1.
        response_headers={"content-location": url, "content-type": "application/xml"},
        resolve_relative_uris=False,  # inside markup, of which only the text is kept
        sanitize_html=False,  # nh3 does it, for every text alike
    )
    if not feed["entries"] and (feed["bozo"] or not feed.get("version")):
        raise ProviderFailed(f"{url or 'the document'} is not a whole RSS or Atom feed")
    return list(islice(_posts(feed["entries"]), MAX_POSTS))


def _posts(entries: Iterable[_Entry]) -> Iterator[Post]:
    for entry in entries:
        if url := _http(entry.get("link")):
            excerpt = _excerpt(_text(entry.get("summary")))
            yield Post(
                title=_text(entry.get("title")) or excerpt,  # RSS allows an item to have only a description
                url=url,
                published_at=_published_at(entry),
                categories=_categories(entry),
                excerpt=excerpt,
                image=_image(entry),
            )


def _text(markup: str | None) -> str:
    """Return what a browser would show of the markup, on one line.

    Unescaped exactly once: a reader shows `&amp;lt;b&amp;gt;` as the text `&lt;b&gt;`, and so does this.
    """
    spaced = _BLOCK.sub(" ", markup or "")  # `<p>One.</p><p>Two.</p>` is two words
    return " ".join(html.unescape(nh3.clean(spaced, tags=set(), clean_content_tags=set())).split())


def _excerpt(text: str) -> str:
    if len(text) <= MAX_EXCERPT:
        return text
    whole_words, _, _ = text[:MAX_EXCERPT].rpartition(" ")
    return (whole_words or text[: MAX_EXCERPT - 1]) + "…"


def _http(link: str | None) -> str | None:
    """Return the link if it is absolute http(s): a `javascript:` link would run in the page that shows it."""
    try:
        parts = urlsplit(link or "")
    except ValueError:
        return None
    return link if parts.scheme in {"http", "https"} and parts.hostname else None


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
    names = (_text(tag.get("term")) for tag in entry.get("tags", ()))
    return tuple(dict.fromkeys(filter(None, names)))


def _image(entry: _Entry) -> str | None:
    """Return the first picture that is declared: Media RSS thumbnail or content, else an enclosure."""
    declared = [
        *(media.get("url") for media in entry.get("media_thumbnail", ())),
        *(media.get("url") for media in entry.get("media_content", ()) if _is_image(media)),
        *(file.get("href") for file in entry.get("enclosures", ()) if _is_image(file)),
    ]
    return next(filter(None, map(_http, declared)), None)


def _is_image(media: _Entry) -> bool:
    return bool(media.get("medium") == "image" or media.get("type", "").startswith("image/"))
