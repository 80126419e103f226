"""Google's product feed: RSS or Atom whose items have members in the namespace `g:`. Pure: bytes in.

https://support.google.com/merchants/answer/7052112. Read with expat as it comes: feedparser would take minutes for a
catalogue.
"""

from collections.abc import Iterator, Mapping
from xml.parsers import expat

from personalize.errors import ProviderFailed

NAMESPACE = "http://base.google.com/ns/1.0"
CHUNK = 64 * 1024
"""Bytes that are parsed at once."""

MAX_DEPTH = 100
"""Elements within one another; what a product says is five deep. expat remembers each that is open."""

_ROOTS = {"rss", "feed", "RDF"}
_ITEMS = {"item", "entry"}


def read_items(body: bytes, shown: str) -> Iterator[Mapping[str, str]]:
    """Yield the members of each item by their names without prefix; Google's count before those of RSS and Atom.

    Raises:
        ProviderFailed: it is not whole XML, defines entities, or is no feed; the reason calls it as it is `shown`.
    """
    feed = _Feed(shown)
    try:
        for start in range(0, len(body), CHUNK):
            feed.parser.Parse(body[start : start + CHUNK], False)  # noqa: FBT003 -- expat takes no keywords
            yield from feed.taken()
        feed.parser.Parse(b"", True)  # noqa: FBT003 -- the same
    except expat.ExpatError:
        raise ProviderFailed(f"{shown} is not whole XML") from None


class _Feed:
    """What expat has seen of a feed so far."""

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._started
        self.parser.EndElementHandler = self._ended
        self.parser.CharacterDataHandler = self._said
        self.parser.EntityDeclHandler = self._defined
        self._whole: list[Mapping[str, str]] = []
        self._path: list[str] = []
        self._plain: dict[str, str] = {}
        self._google: dict[str, str] = {}
        self._item_at = 0
        self._text: list[str] = []

    def taken(self) -> list[Mapping[str, str]]:
        """Return the items that are whole by now, each once."""
        whole, self._whole = self._whole, []
        return whole

    def _started(self, name: str, attributes: Mapping[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if not self._path and local not in _ROOTS:
            raise ProviderFailed(f"{self._shown} is XML, but no product feed")
        if len(self._path) == MAX_DEPTH:
            raise ProviderFailed(f"{self._shown} is nested deeper than any product feed")
        self._path.append(name)
        self._text.clear()
        if not self._item_at and local in _ITEMS:
            self._item_at, self._plain, self._google = len(self._path), {}, {}
        elif self._is_member and local == "link" and "href" in attributes:  # Atom's
            self._plain.setdefault(local, attributes["href"])

    def _said(self, text: str) -> None:
        if self._is_member:
            self._text.append(text)

    def _ended(self, name: str) -> None:
        if self._is_member:
            namespace, _, local = name.rpartition(" ")
            members = self._google if namespace == NAMESPACE else self._plain
            members.setdefault(local, "".join(self._text))
        elif self._item_at == len(self._path):
            self._whole.append(self._plain | self._google)
            self._item_at = 0
        self._path.pop()

    def _defined(self, *_: object) -> None:
        raise ProviderFailed(f"{self._shown} defines entities, which may expand without end")

    @property
    def _is_member(self) -> bool:
        """Whether this is a member of an item, and not part of one, as the price of a `g:shipping` is."""
        return self._item_at > 0 and len(self._path) == self._item_at + 1
