"""A location becomes bytes, within bounds, or a plain reason that tells no secret."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from personalize.errors import ProviderFailed
from personalize.providers.fetch import MAX_BYTES, fetch, without_secrets

SECRET = "https://user:hunter2@blog.example:8443/feed/?token=hunter2#part"  # what an operator may configure
PLACE = "https://blog.example:8443/feed/"


class Site:
    """A site at the transport: answers with what it is told and records the requests."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.requests: list[httpx.Request] = []
        self._answer = answer

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as `httpx.MockTransport` asks."""
        self.requests.append(request)
        return self._answer(request)

    async def fetch(self, location: str = SECRET) -> bytes:
        """Fetch a location with this site as the whole network."""
        async with httpx.AsyncClient(transport=httpx.MockTransport(self)) as client:
            document = await fetch(location, client)
        assert document is not None
        return document.body

    async def failure(self, location: str = SECRET) -> str:
        """Return why a location cannot be fetched."""
        with pytest.raises(ProviderFailed) as failed:
            await self.fetch(location)
        assert failed.value.__cause__ is None
        return str(failed.value)


def raising(error: Exception) -> Site:
    """Return a site that cannot be talked to."""

    def answer(_: httpx.Request) -> httpx.Response:
        raise error

    return Site(answer)


async def test_a_url_gives_its_body() -> None:
    """One GET, asking for a feed."""
    site = Site(lambda _: httpx.Response(200, content=b"<rss/>"))
    assert await site.fetch() == b"<rss/>"
    (request,) = site.requests
    assert request.method == "GET"
    assert request.headers["accept"].startswith("application/rss+xml")


async def test_credentials_of_a_url_are_sent_to_its_host_alone() -> None:
    """A feed behind basic authentication can be read, and another host that it redirects to learns nothing."""
    site = Site(lambda request: _redirect("https://cdn.example/f") if request.url.host != "cdn.example" else _ok())
    await site.fetch()
    first, second = site.requests
    assert first.headers["authorization"].startswith("Basic ")
    assert "authorization" not in second.headers


@pytest.mark.parametrize("status", [204, 304, 401, 404, 429, 500, 503])
async def test_any_other_status_fails(status: int) -> None:
    """What is not a 200 has no feed in it."""
    assert await Site(lambda _: httpx.Response(status, text="hunter2")).failure() == f"{PLACE} answered {status}"


async def test_redirects_are_followed() -> None:
    """From http to https to www to a moved feed is a usual way."""
    ways = {"/0": "/1", "/1": "/2", "/2": "/3"}
    site = Site(lambda request: _redirect(ways[request.url.path]) if request.url.path in ways else _ok())
    assert await site.fetch("http://blog.example/0") == b"<rss/>"
    assert [request.url.path for request in site.requests] == ["/0", "/1", "/2", "/3"]


async def test_a_ring_of_redirects_is_left() -> None:
    """After three redirects the fourth is not followed."""
    site = Site(lambda _: _redirect("/again?token=hunter2"))
    assert await site.failure() == f"{PLACE} redirects more than 3 times"
    assert len(site.requests) == 4


async def test_a_redirect_out_of_http_is_refused() -> None:
    """A site cannot make this machine read its own files."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n")

    async with _served(serve) as (location, client):
        with pytest.raises(ProviderFailed) as failed:
            await fetch(location, client)
        assert str(failed.value) == f"{location} does not lead to an http(s) URL"


async def test_a_body_of_the_largest_size_is_read() -> None:
    """The limit itself is allowed."""
    assert len(await Site(lambda _: httpx.Response(200, content=bytes(MAX_BYTES))).fetch()) == MAX_BYTES


async def test_a_larger_body_is_left_unread() -> None:
    """Reading stops where the limit is passed, however much would follow."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 2**20
            yield bytes(2**20)

    site = Site(lambda _: httpx.Response(200, content=endless()))
    assert await site.failure() == f"{PLACE} is larger than 5 MiB"
    assert sent == MAX_BYTES + 2**20


async def test_the_size_is_that_of_the_decoded_body() -> None:
    """A small body that expands is a large one."""
    bomb = gzip.compress(bytes(MAX_BYTES + 1))
    site = Site(lambda _: httpx.Response(200, content=bomb, headers={"content-encoding": "gzip"}))
    assert await site.failure() == f"{PLACE} is larger than 5 MiB"
    assert site.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("encoding", ["gzip, gzip", "deflate", "br", "zstd", "compress"])
async def test_only_what_was_asked_for_is_decoded(encoding: str) -> None:
    """One chunk of gzip within gzip is a million chunks."""
    bomb = gzip.compress(gzip.compress(bytes(2**20)))
    site = Site(lambda _: httpx.Response(200, content=_chunks(bomb), headers={"content-encoding": encoding}))
    assert await site.failure() == f"{PLACE} is encoded otherwise than was asked"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (httpx.ConnectError("hunter2"), "cannot be connected to"),
        (httpx.ConnectTimeout("hunter2"), "did not answer in time"),
        (httpx.ReadTimeout("hunter2"), "did not answer in time"),
        (httpx.ReadError("hunter2"), "broke off"),
        (httpx.RemoteProtocolError("hunter2"), "broke off"),
        (httpx.UnsupportedProtocol("hunter2"), "does not lead to an http(s) URL"),
        (httpx.InvalidURL("hunter2"), "is neither a URL nor a path"),
        (PermissionError("hunter2"), "may not be read"),
        (OSError("hunter2"), "cannot be read"),
    ],
)
async def test_a_foreign_error_becomes_a_plain_reason(error: Exception, reason: str) -> None:
    """The reason names the place without its secrets, and quotes nobody."""
    assert await raising(error).failure() == f"{PLACE} {reason}"


async def test_a_defect_passes() -> None:
    """What nobody foresaw is not dressed up as a failure of the source."""
    with pytest.raises(ZeroDivisionError):
        await raising(ZeroDivisionError()).fetch()


async def test_a_body_that_does_not_decompress_fails() -> None:
    """A wrong content encoding is told as such."""
    site = Site(lambda _: httpx.Response(200, content=_chunks(b"junk"), headers={"content-encoding": "gzip"}))
    assert await site.failure() == f"{PLACE} does not decompress"


async def test_a_malformed_url_fails() -> None:
    """A URL that httpx refuses is a plain reason too."""
    assert await Site(lambda _: _ok()).failure("http://[::1/feed?q") == "http://[::1/feed is neither a URL nor a path"


async def test_a_server_that_never_answers_is_left() -> None:
    """The time for everything is bounded, whatever the client's own timeouts are."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with _served(serve) as (location, client):
        with pytest.raises(ProviderFailed, match="did not answer in time"):
            await fetch(location, client, seconds=0.05)


async def test_a_real_server_that_breaks_off_fails() -> None:
    """Fewer bytes than were announced are not a body."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<rss>")

    async with _served(serve) as (location, client):
        with pytest.raises(ProviderFailed, match="broke off"):
            await fetch(location, client)


async def test_a_real_port_where_nobody_listens_fails() -> None:
    """A refused connection is told as such."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        location = f"http://127.0.0.1:{unused.getsockname()[1]}/feed"
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(ProviderFailed) as failed:
                await fetch(location, client)
    assert str(failed.value) == f"{location} cannot be connected to"


async def test_a_file_is_read_by_path_and_by_url(tmp_path: Path) -> None:
    """A path is taken as it is written; a `file://` URL is unescaped."""
    (tmp_path / "my feed%20.rss").write_bytes(b"<rss/>")
    site = Site(lambda _: _ok())
    assert await site.fetch(f"{tmp_path}/my feed%20.rss") == b"<rss/>"
    assert await site.fetch(f"file://{tmp_path}/my%20feed%2520.rss") == b"<rss/>"
    assert site.requests == []


async def test_a_file_that_cannot_be_read_fails(tmp_path: Path) -> None:
    """A missing file, a folder and an impossible name have plain reasons."""
    site = Site(lambda _: _ok())
    assert await site.failure(f"{tmp_path}/none") == f"{tmp_path}/none does not exist"
    assert await site.failure(f"{tmp_path}") == f"{tmp_path} cannot be read"
    assert await site.failure("a\0b") == "a\0b is neither a URL nor a path"


async def test_a_large_file_fails(tmp_path: Path) -> None:
    """Files have the same limit as bodies."""
    (tmp_path / "feed").write_bytes(bytes(MAX_BYTES + 1))
    assert await Site(lambda _: _ok()).failure(f"{tmp_path}/feed") == f"{tmp_path}/feed is larger than 5 MiB"


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        (SECRET, PLACE),
        ("HTTPS://user@blog.example/feed", "HTTPS://blog.example/feed"),
        ("https://blog.example?token=hunter2", "https://blog.example"),
        ("https://blog.example/@ada/feed", "https://blog.example/@ada/feed"),
        ("feeds/a?b.rss", "feeds/a?b.rss"),
        ("file:///feeds/a.rss", "file:///feeds/a.rss"),
    ],
)
def test_a_location_is_shown_without_secrets(location: str, shown: str) -> None:
    """Credentials and query stay out of sight; a path is all that a file has."""
    assert without_secrets(location) == shown


def _ok() -> httpx.Response:
    return httpx.Response(200, content=b"<rss/>")


def _redirect(location: str) -> httpx.Response:
    return httpx.Response(302, headers={"location": location})


async def _chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _served(serve: Serve) -> AsyncIterator[tuple[str, httpx.AsyncClient]]:
    """Serve one connection on a real port; its end is awaited, so that no socket outlives the test."""
    ended = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, httpx.AsyncClient(trust_env=False) as client:
        yield f"http://{host}:{port}/feed", client
        await ended.wait()
