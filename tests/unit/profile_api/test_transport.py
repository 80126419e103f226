"""The pool against real sockets: what leaves it, what it makes of broken answers, and what it never tells."""

import asyncio
import gzip
import signal
import socket
import struct
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import aiohttp
import httpx
import pytest

from personalize.profile_api.transport import CONNECT_SECONDS, LOOKUP_SECONDS, LOOKUPS, PooledTransport
from tests.connections import until

pytestmark = pytest.mark.calm  # to connect has half a second

SECRET_ID = "canary-of-an-id"
SECRET_TOKEN = "canary-of-a-token"
LIMIT = 5.0
"""Seconds for anything that should happen at once."""

After = Literal["keep", "close", "reset"]


def answer(body: bytes = b"{}", *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Upstream:
    """A server on the loopback that answers with prepared bytes and remembers what it was sent.

    Args:
        answers: the bytes for the nth request, from 0; for `None` it never answers, for `b""` it hangs up.
        after: what it does with the connection after an answer.
    """

    def __init__(self, answers: Callable[[int], bytes | None], *, after: After = "keep") -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self._answers = answers
        self._after = after
        self._arrived = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        try:
            async with asyncio.timeout(LIMIT):
                yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for writer in self._writers:
                writer.transport.abort()
            await asyncio.gather(*self._tasks)
            await server.wait_closed()

    async def received(self, count: int) -> None:
        """Wait for this many requests."""
        while len(self.requests) < count:
            self._arrived.clear()
            await self._arrived.wait()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        self._tasks.append(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head)
        self._arrived.set()
        given = self._answers(len(self.requests) - 1)
        if given is None:
            await reader.read()
            return False
        writer.write(given)
        await writer.drain()
        if self._after == "reset":
            linger = struct.pack("ii", 1, 0)  # closing with this sends RST
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return bool(given) and self._after == "keep"


def asking(url: str) -> httpx.Request:
    """Return a request as the client makes it, its secrets to be looked for."""
    headers = {"Authorization": SECRET_TOKEN, "User-Agent": "personalize", "Accept-Encoding": "identity"}
    return httpx.Request("GET", url, headers=headers)


async def get(transport: PooledTransport, url: str) -> tuple[httpx.Response, bytes]:
    """Send a request and read the body to its end, undecoded."""
    response = await transport.handle_async_request(asking(url))
    try:
        return response, b"".join([chunk async for chunk in response.aiter_raw()])
    finally:
        await response.aclose()


async def failure(transport: PooledTransport, url: str) -> httpx.TransportError:
    """Send a request that fails, and return how."""
    with pytest.raises(httpx.TransportError) as failed:
        await get(transport, url)
    return failed.value


def assert_tells_nothing(error: BaseException) -> None:
    """Look for secrets in all that a log or an error reporter would show of an exception."""
    shown = "".join(traceback.format_exception(error)) + repr(error) + str(error)
    assert SECRET_ID not in shown
    assert SECRET_TOKEN not in shown
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.fixture
async def transport() -> AsyncIterator[PooledTransport]:
    async with PooledTransport() as pool:
        yield pool


@pytest.mark.parametrize(
    "path",
    [
        "/v1/spaces/s/collections/users/profiles/user_id%3Au1/traits?include=a,b%20c&limit=2",
        "/profiles/user_id%3Aa%2Fb/traits",
        "/profiles/user_id%3A%252f/traits",
        "/profiles/user_id%3A..%2F..%2Fx/traits",
        "/profiles/phone%3A%2B5555550123/traits",
        "/profiles/user_id%3A%F0%9F%A6%8A/events?next=MTUx%2B%2F%3D%3D",
        "/profiles/user_id%3a%7e%2d/traits",
    ],
)
async def test_a_path_goes_out_as_it_was_encoded(transport: PooledTransport, path: str) -> None:
    """No layer decodes, normalizes or encodes again."""
    upstream = Upstream(lambda _: answer())
    async with upstream.open() as url:
        await get(transport, url + path)
    assert upstream.requests[0].partition(b"\r\n")[0] == f"GET {path} HTTP/1.1".encode()


async def test_each_header_goes_out_once(transport: PooledTransport) -> None:
    """Neither library adds a header of its own beside ours."""
    upstream = Upstream(lambda _: answer())
    async with upstream.open() as url:
        await get(transport, url)
    names = [line.partition(b":")[0].lower() for line in upstream.requests[0].split(b"\r\n")[1:-2]]
    assert sorted(names) == [b"accept-encoding", b"authorization", b"host", b"user-agent"]


async def test_an_answer_arrives_as_it_was_sent(transport: PooledTransport) -> None:
    """Status, headers and body."""
    upstream = Upstream(lambda _: answer(b"[1]", "Request-Id: 1111", status="404 Not Found"))
    async with upstream.open() as url:
        response, body = await get(transport, url)
    assert (response.status_code, response.headers["request-id"], body) == (404, "1111", b"[1]")


async def test_connections_are_kept(transport: PooledTransport) -> None:
    """Ten requests in turn share one connection."""
    upstream = Upstream(lambda _: answer())
    async with upstream.open() as url:
        for _ in range(10):
            await get(transport, url)
    assert (upstream.connections, len(upstream.requests)) == (1, 10)


async def test_a_connection_whose_body_was_left_is_not_used_again(transport: PooledTransport) -> None:
    """The rest of one visitor's answer can never be read as the next one's."""
    upstream = Upstream(lambda n: answer(b"x" * 4_000_000) if n == 0 else answer(b"second"))
    async with upstream.open() as url:
        response = await transport.handle_async_request(asking(url))
        await response.aclose()
        _, body = await get(transport, url)
    assert body == b"second"
    assert upstream.connections == 2


async def test_redirects_are_not_followed(transport: PooledTransport) -> None:
    """An answer cannot send us, and the token with us, elsewhere."""
    upstream = Upstream(lambda _: answer(b"", "Location: /elsewhere", status="302 Found"))
    async with upstream.open() as url:
        response, _ = await get(transport, url)
    assert response.status_code == 302
    assert len(upstream.requests) == 1


async def test_an_encoded_body_is_left_encoded(transport: PooledTransport) -> None:
    """Nothing is expanded before its size is known."""
    packed = gzip.compress(b"{}" * 1000)
    upstream = Upstream(lambda _: answer(packed, "Content-Encoding: gzip"))
    async with upstream.open() as url:
        _, body = await get(transport, url)
    assert body == packed


async def test_cookies_are_not_kept(transport: PooledTransport) -> None:
    """What an answer for one visitor sets is not sent with the next one's request."""
    upstream = Upstream(lambda _: answer(b"{}", "Set-Cookie: visitor=1; Path=/"))
    async with upstream.open() as url:
        await get(transport, url)
        await get(transport, url)
    assert b"cookie" not in upstream.requests[1].lower()


BROKEN: dict[str, tuple[bytes, After, type[httpx.TransportError]]] = {
    "closed before the answer": (b"", "close", httpx.RemoteProtocolError),
    "reset before the answer": (b"", "reset", httpx.ReadError),
    "closed within the headers": (b"HTTP/1.1 200 OK\r\nContent-", "close", httpx.RemoteProtocolError),
    "closed within the body": (answer(b"x" * 100)[:-50], "close", httpx.RemoteProtocolError),
    "closed within a chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "close",
        httpx.RemoteProtocolError,
    ),
    "no HTTP": (f"220 {SECRET_ID} ESMTP\r\n\r\n".encode(), "close", httpx.RemoteProtocolError),
    "a length that is no number": (
        f"HTTP/1.1 200 OK\r\nContent-Length: {SECRET_ID}\r\n\r\n".encode(),
        "close",
        httpx.RemoteProtocolError,
    ),
    "a length and chunks": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        "close",
        httpx.RemoteProtocolError,
    ),
    "a header of 100 KB": (answer(b"{}", f"X: {'x' * 100_000}"), "close", httpx.RemoteProtocolError),
}


@pytest.mark.parametrize(("given", "after", "kind"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_answer_fails_without_telling_secrets(
    transport: PooledTransport, given: bytes, after: After, kind: type[httpx.TransportError]
) -> None:
    """It is httpx's exception of that kind, and neither the id nor the token is in anything it shows."""
    upstream = Upstream(lambda _: given, after=after)
    async with upstream.open() as url:
        error = await failure(transport, f"{url}/profiles/{SECRET_ID}")
    assert isinstance(error, kind | httpx.RemoteProtocolError)  # a reset may be seen as a plain close
    assert_tells_nothing(error)
    assert len(upstream.requests) == 1


async def test_a_body_that_is_reset_fails_while_it_is_read(transport: PooledTransport) -> None:
    """The status was fine, the body is not."""
    upstream = Upstream(lambda _: answer(b"x" * 100)[:-50], after="reset")
    async with upstream.open() as url:
        error = await failure(transport, f"{url}/profiles/{SECRET_ID}")
    assert isinstance(error, httpx.RemoteProtocolError | httpx.ReadError)
    assert_tells_nothing(error)


async def test_a_refused_connection_fails_without_telling_secrets(transport: PooledTransport) -> None:
    """Nobody listens there."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = await failure(transport, f"http://127.0.0.1:{unused.getsockname()[1]}/profiles/{SECRET_ID}")
    assert type(error) is httpx.ConnectError
    assert_tells_nothing(error)


async def test_connecting_is_bounded(transport: PooledTransport) -> None:
    """A host that swallows the handshake costs half a second."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.settimeout(0)
            filler.connect_ex(full.getsockname())
        begun = asyncio.get_running_loop().time()
        async with asyncio.timeout(30):
            error = await failure(transport, f"http://127.0.0.1:{full.getsockname()[1]}/profiles/{SECRET_ID}")
        took = asyncio.get_running_loop().time() - begun
        for filler in fillers:
            filler.close()
    assert type(error) is httpx.ConnectTimeout
    assert took >= CONNECT_SECONDS * 0.9
    assert_tells_nothing(error)


async def test_a_request_is_not_sent_again_by_itself(transport: PooledTransport) -> None:
    """When a kept connection is closed instead of answering, the budget of calls is not spent twice unseen."""
    upstream = Upstream(lambda n: answer() if n == 0 else b"")
    async with upstream.open() as url:
        await get(transport, url)
        error = await failure(transport, f"{url}/profiles/{SECRET_ID}")
    assert isinstance(error, httpx.RemoteProtocolError)
    assert (upstream.connections, len(upstream.requests)) == (1, 2)
    assert_tells_nothing(error)


async def test_the_pool_outlives_cancelled_requests() -> None:
    """Fifty requests, most of them waiting for one of ten connections, are cancelled; the next one is answered."""
    upstream = Upstream(lambda n: None if n < 10 else answer(b"alive"))
    async with PooledTransport(connections=10) as transport, upstream.open() as url:
        requests = [asyncio.create_task(get(transport, url)) for _ in range(50)]
        await upstream.received(10)
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)
        bodies = [body for _, body in await asyncio.gather(*(get(transport, url) for _ in range(20)))]
    assert all(request.cancelled() for request in requests)
    assert bodies == [b"alive"] * 20


async def test_no_more_connections_are_opened_than_allowed() -> None:
    """Requests beyond the pool wait for a connection."""
    upstream = Upstream(lambda _: answer())
    async with PooledTransport(connections=3) as transport, upstream.open() as url:
        await asyncio.gather(*(get(transport, url) for _ in range(30)))
    assert upstream.connections <= 3
    assert len(upstream.requests) == 30


async def test_an_unused_pool_can_be_closed() -> None:
    """Nothing was opened, so nothing is left open."""
    await PooledTransport().aclose()


class NameServer(asyncio.DatagramProtocol):
    """A name server on the loopback that knows one address for every name, or is silent."""

    def __init__(self) -> None:
        self.silent = False
        self.asked = 0
        self._transport: asyncio.DatagramTransport | None = None

    @asynccontextmanager
    async def open(self, patience: float = LOOKUP_SECONDS) -> AsyncIterator[Callable[[], aiohttp.AsyncResolver]]:
        """Yield what makes a resolver that asks it, and waits so many seconds for it at first."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        address = "{}:{}".format(*self._transport.get_extra_info("sockname"))
        try:
            yield lambda: aiohttp.AsyncResolver(nameservers=[address], timeout=patience, tries=LOOKUPS)
        finally:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        assert self._transport is not None
        if not self.silent:
            self._transport.sendto(told(data), addr)


def told(question: bytes) -> bytes:
    """Return the answer to a DNS question (RFC 1035): 127.0.0.1 if it is for an IPv4 address, else none."""
    end = question.index(b"\0", 12) + 5
    asked = question[12:end]
    is_ipv4 = asked[-4:-2] == b"\0\1"
    record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1" if is_ipv4 else b""
    return question[:2] + b"\x81\x80\0\1" + struct.pack("!H", is_ipv4) + bytes(4) + asked + record


def named(url: str, host: str) -> str:
    return url.replace("127.0.0.1", host)


async def test_a_host_is_looked_up_once() -> None:
    """For all who need it meanwhile; and an address needs no name server."""
    upstream, names = Upstream(lambda _: answer()), NameServer()
    async with upstream.open() as url, names.open() as resolver, PooledTransport(resolver=resolver) as transport:
        await get(transport, url)
        assert names.asked == 0
        await asyncio.gather(*(get(transport, named(url, "profiles.example.com")) for _ in range(5)))
    assert names.asked <= 2  # for IPv4 and IPv6
    assert len(upstream.requests) == 6


def own_names() -> list[str]:
    """Return the names of /etc/hosts for 127.0.0.1."""
    lines = (line.partition("#")[0].split() for line in Path("/etc/hosts").read_text().splitlines())
    return [name for address, *names in filter(None, lines) if address == "127.0.0.1" for name in names]


@pytest.mark.parametrize("host", sorted({"localhost", "LOCALHOST", *own_names()}))
async def test_this_machine_knows_its_own_names(transport: PooledTransport, host: str) -> None:
    """Those of /etc/hosts, as a sandbox beside the service has them."""
    upstream = Upstream(lambda _: answer(b"here"))
    async with upstream.open() as url:
        _, body = await get(transport, named(url, host))
    assert body == b"here"


async def test_a_silent_name_server_starves_nobody() -> None:
    """Requests to a host that is known go on, and threads are left to others."""
    upstream, names = Upstream(lambda _: answer()), NameServer()
    async with upstream.open() as url, names.open(60) as resolver, PooledTransport(resolver=resolver) as transport:
        await get(transport, named(url, "profiles.example.com"))
        names.silent = True
        stuck = [asyncio.create_task(get(transport, named(url, f"{n}.example.com"))) for n in range(40)]
        await asyncio.gather(*(get(transport, named(url, "profiles.example.com")) for _ in range(3)))
        assert await asyncio.to_thread(lambda: "run") == "run"
        assert not any(one.done() for one in stuck)
        for one in stuck:
            one.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)
    assert len(upstream.requests) == 4


async def test_who_waits_for_a_name_ends_at_its_own_time_limit() -> None:
    """However long the lookup goes on, and its place among the connections is free again."""
    upstream, names = Upstream(lambda _: answer()), NameServer()
    async with (
        upstream.open() as url,
        names.open(60) as resolver,
        PooledTransport(connections=2, resolver=resolver) as transport,
    ):
        names.silent = True
        waiting = (given_up(transport, named(url, f"{n}.example.com")) for n in range(4))
        assert await asyncio.gather(*waiting) == [True] * 4
        assert (await get(transport, url))[0].status_code == 200


async def given_up(transport: PooledTransport, url: str) -> bool:
    """Send a request that is not answered within 0.2 s; whether that was its end."""
    begun = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await get(transport, url)
    return asyncio.get_running_loop().time() - begun < 1.5


async def test_a_lookup_ends_by_itself_without_telling_secrets() -> None:
    """Before anybody gives it up, so that the next one finds the name server that is back."""
    upstream, names = Upstream(lambda _: answer()), NameServer()
    names.silent = True
    async with upstream.open() as url, names.open() as resolver, PooledTransport(resolver=resolver) as transport:
        async with asyncio.timeout(30):
            error = await failure(transport, named(url, "profiles.example.com") + f"/{SECRET_ID}")
        assert type(error) is httpx.ConnectError
        assert_tells_nothing(error)
        names.silent = False
        assert (await get(transport, named(url, "profiles.example.com")))[0].status_code == 200


async def test_a_pool_is_closed_while_names_are_looked_up() -> None:
    """Nothing is left behind, and who waited hears of it."""
    names = NameServer()
    names.silent = True
    async with names.open() as resolver:
        for _ in range(20):
            transport = PooledTransport(resolver=resolver)
            stuck = asyncio.create_task(get(transport, "http://profiles.example.com/"))
            await asyncio.sleep(0)
            await transport.aclose()
            stuck.cancel()
            await asyncio.gather(stuck, return_exceptions=True)
            assert stuck.done()


STOPPABLE = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def stands(pid: int) -> bool:
    """Whether a process was stopped: it may run on for a moment after the signal was sent (proc(5), stat)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


async def test_a_server_that_is_stopped_holds_a_place_until_the_time_limit_and_no_longer() -> None:
    """Its sockets stay open and say nothing; once it goes on, so does the pool, though it has only two connections."""
    server = await asyncio.create_subprocess_exec(sys.executable, "-c", STOPPABLE, stdout=asyncio.subprocess.PIPE)
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(await server.stdout.readline())}"
        async with PooledTransport(connections=2) as transport:
            await asyncio.gather(get(transport, url), get(transport, url))
            server.send_signal(signal.SIGSTOP)
            await until(lambda: stands(server.pid))
            assert await asyncio.gather(*(given_up(transport, url) for _ in range(6))) == [True] * 6
            assert await given_up(transport, url)
            server.send_signal(signal.SIGCONT)
            async with asyncio.timeout(LIMIT):
                answers = await asyncio.gather(*(get(transport, url) for _ in range(6)))
            assert [response.status_code for response, _ in answers] == [200] * 6
    finally:
        server.kill()
        await server.wait()
