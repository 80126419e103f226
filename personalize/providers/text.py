"""What a document says, as it may be shown: plain text, http(s) links, moments in UTC. Pure."""

import html
import re
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

import nh3

MAX_EXCERPT = 300
"""Characters of an excerpt, its ellipsis included: two or three lines in a teaser."""

MAX_MARKUP = 16 * 1024
"""Characters of markup that are read, of which a title or an excerpt is the beginning."""

_BLOCK = re.compile(
    r"(?=</?(?:address|blockquote|br|dd|div|dt|figure|h[1-6]|hr|li|ol|p|pre|section|td|th|tr|ul)\b)", re.IGNORECASE
)
_UNSHOWN = {"script", "style"}
"""Elements whose content no browser shows: editors put styles between paragraphs."""


def text_of(markup: str | None) -> str:
    """Return what a browser would show of the markup, on one line.

    Unescaped exactly once: a reader shows `&amp;lt;b&amp;gt;` as the text `&lt;b&gt;`, and so does this.
    """
    spaced = _BLOCK.sub(" ", (markup or "")[:MAX_MARKUP])  # `<p>One.</p><p>Two.</p>` is two words
    return one_line(html.unescape(nh3.clean(spaced, tags=set(), clean_content_tags=_UNSHOWN)))


def one_line(text: str | None) -> str:
    """Return what is plain text already on one line."""
    return " ".join((text or "").split())


def excerpt_of(text: str) -> str:
    """Return a text of one line, cut at a word where it is too long for a teaser."""
    if len(text) <= MAX_EXCERPT:
        return text
    whole_words, _, _ = text[:MAX_EXCERPT].rpartition(" ")
    return (whole_words or text[: MAX_EXCERPT - 1]) + "…"


def http_link(link: str | None, base: str = "") -> str | None:
    """Return the link if it is http(s): a `javascript:` link would run in the page that shows it.

    Args:
        link: as it was written.
        base: the URL of the document that it stands in, against which a relative one is resolved.
    """
    try:
        whole = urljoin(base, link.strip()) if link else ""
        parts = urlsplit(whole)
    except ValueError:
        return None
    sound = parts.scheme in {"http", "https"} and parts.hostname and whole.isprintable()
    return whole if sound else None


def moment_of(text: str | None) -> datetime | None:
    """Return an ISO 8601 date or time in UTC, which is meant where no zone is written; `None` for what is neither."""
    try:
        moment = datetime.fromisoformat(text or "")
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # also `0000-00-00`, as databases write a missing date
        return None
