"""Where a blog's page says that its posts are: WordPress's API, else a feed. Pure.

No host is taken from what a document says: WordPress's API is asked at the place of the page that named it, and a feed
at another host is not followed. An operator decides which hosts are asked.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit, urlunsplit

from personalize.providers.fetch import Document, is_web

HEAD = 256 * 1024
"""Bytes of a page in which its links are looked for."""

MAX_HEADER = 8 * 1024
"""Characters of a `Link` header in which that of the API is looked for."""

# Atomic groups: else a row of comments could be read in more ways than there is time for.
_PAGE = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?>(?:<!--.*?-->\s*)*)<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
_API = "https://api.w.org/"
_API_HEADER = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?https://api\.w\.org/"?')
_FEEDS = {"application/rss+xml", "application/atom+xml", "application/feed+json"}


def is_page(document: Document) -> bool:
    """Whether a document is HTML."""
    return _PAGE.match(document.body[:HEAD].removeprefix(b"\xef\xbb\xbf")) is not None


def api_link(document: Document) -> str | None:
    """Return where a page's WordPress answers its API, as its `Link` header or its head says."""
    said = _API_HEADER.search(document.headers.get("link", "")[:MAX_HEADER])
    links = [said[1]] if said else [href for relations, _, href in _links(document) if _API in relations]
    return next(filter(None, (_at(document, link, any_host=True) for link in links)), None)


def feed_link(document: Document) -> str | None:
    """Return where the first feed is that a page names as its own, if it is at the page's own host."""
    links = (href for relations, kind, href in _links(document) if "alternate" in relations and kind in _FEEDS)
    return next(filter(None, (_at(document, link) for link in links)), None)


def _links(document: Document) -> Iterator[tuple[list[str], str, str]]:
    """Yield relations, type and address of each link in a page's head."""
    head = _Head()
    head.feed(document.body[:HEAD].decode(errors="replace"))
    for link in head.links:
        yield (link.get("rel") or "").lower().split(), (link.get("type") or "").lower(), link.get("href") or ""


def _at(document: Document, link: str, *, any_host: bool = False) -> str | None:
    """Return a link's path and query at the place where a document was found, with the credentials for it."""
    if not is_web(document.location):
        return None
    try:
        parts = urlsplit(urljoin(document.shown, link))
    except ValueError:  # an address that there cannot be
        return None
    if not any_host and parts.netloc != urlsplit(document.shown).netloc:
        return None
    path = f"/{parts.path.lstrip('/')}"  # what begins with `//` would name another host
    return urljoin(document.location, urlunsplit(("", "", path, parts.query, "")))


class _Head(HTMLParser):
    """The attributes of each `link` element."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "link":
            self.links.append(dict(attrs))
