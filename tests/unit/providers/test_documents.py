"""A document is read anew only when it has changed."""

from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from personalize.errors import ProviderFailed
from personalize.providers.documents import Documents
from personalize.providers.fetch import Document

URL = "https://blog.example/feed"


class Page:
    """A page at the transport that knows conditional requests, and what it was asked."""

    def __init__(self, body: bytes, headers: Mapping[str, str]) -> None:
        self.body = body
        self.headers = dict(headers)
        self.asked: list[dict[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as `httpx.MockTransport` asks."""
        conditions = {
            name: request.headers[name] for name in ("If-None-Match", "If-Modified-Since") if name in request.headers
        }
        self.asked.append(conditions)
        if conditions and conditions.get("If-None-Match", self.headers.get("etag")) == self.headers.get("etag"):
            return httpx.Response(304)
        return httpx.Response(200, content=self.body, headers=self.headers)

    def client(self) -> httpx.AsyncClient:
        """Return a client to which this page is the whole network."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self))


def words(document: Document) -> list[str]:
    """Parse a document; a new list each time."""
    if document.body == b"broken":
        raise ProviderFailed("it is broken")
    return document.body.decode().split()


async def test_what_has_not_changed_is_not_sent_again() -> None:
    """Both validators are sent back as they came, and the value is the one that is known."""
    page = Page(b"one two", {"etag": '"v1"', "last-modified": "Sun, 22 Nov 2026 04:54:55 GMT"})
    async with page.client() as client:
        documents = Documents(client)
        first = await documents.read(URL, words)
        assert await documents.read(URL, words) is first
    assert page.asked == [{}, {"If-None-Match": '"v1"', "If-Modified-Since": "Sun, 22 Nov 2026 04:54:55 GMT"}]


async def test_without_validators_the_same_bytes_are_the_same_value() -> None:
    """A server that knows no conditional requests costs its answer, but no reading."""
    page = Page(b"one two", {})
    async with page.client() as client:
        documents = Documents(client)
        first = await documents.read(URL, words)
        assert await documents.read(URL, words) is first
        page.body = b"three"
        assert await documents.read(URL, words) == ["three"]
    assert page.asked == [{}, {}, {}]


async def test_a_broken_version_is_asked_for_again() -> None:
    """Its validators are not kept: what is known stays what was good."""
    page = Page(b"one", {"etag": '"v1"'})
    async with page.client() as client:
        documents = Documents(client)
        first = await documents.read(URL, words)
        page.body, page.headers["etag"] = b"broken", '"v2"'
        for _ in range(2):
            with pytest.raises(ProviderFailed, match="it is broken"):
                await documents.read(URL, words)
        page.body, page.headers["etag"] = b"one", '"v1"'
        assert await documents.read(URL, words) is first
    assert page.asked[1:] == [{"If-None-Match": '"v1"'}] * 3


async def test_an_answer_that_nobody_asked_for_fails() -> None:
    """A 304 without a condition has nothing to say."""
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(304)))
    async with client:
        with pytest.raises(ProviderFailed, match="answered 304"):
            await Documents(client).read(URL, words)


async def test_one_document_may_be_read_in_two_ways() -> None:
    """Each way has its own value."""
    async with Page(b"one two", {"etag": '"v1"'}).client() as client:
        documents = Documents(client)
        assert await documents.read(URL, words) == ["one", "two"]
        assert await documents.read(URL, Document.shown.fget) == URL  # type: ignore[attr-defined]  # a property has it


async def test_the_size_is_bounded_as_told(tmp_path: Path) -> None:
    """A catalogue may be larger than a feed."""
    (tmp_path / "large").write_bytes(bytes(2 * 1024**2 + 1))
    async with httpx.AsyncClient() as client:
        with pytest.raises(ProviderFailed, match="is larger than 2 MiB"):
            await Documents(client, most=2 * 1024**2).read(str(tmp_path / "large"), words)
