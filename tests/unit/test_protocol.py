"""The bounded protocol: what a connection does of itself. What it refuses is shown in `tests/trust/test_bounds.py`."""

import asyncio
import re

import pytest
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from personalize import listening
from personalize.protocol import USUAL, BoundedProtocol, Bounds
from personalize.web.warm import Head, Reply
from tests.garbage import uncollected
from tests.loops import run

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"


class Transport(asyncio.Transport):
    """A connection's end that remembers what became of it; its client takes nothing unless told otherwise."""

    def __init__(self, *, taken: bool = False) -> None:
        super().__init__()
        self.written = b""
        self.ends: list[str] = []
        self.reads = True
        self._taken = taken

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def write_eof(self) -> None:
        self.ends.append("eof")

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.ends.append("closed")

    def abort(self) -> None:
        self.ends.append("aborted")

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def is_closing(self) -> bool:
        return bool({"closed", "aborted"} & set(self.ends))

    def get_write_buffer_size(self) -> int:
        return 0 if self._taken else len(self.written)


class App:
    """An application that reads a body whole, and knows of callers who went away meanwhile."""

    def __init__(self) -> None:
        self.asked = self.left = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:
            self.left += 1
        else:
            await PlainTextResponse(f"{len(body)}")(scope, receive, send)


class Prompt(App):
    """An application that knows one answer beforehand, and gives it if it is asked in a task, too."""

    KNOWN = Reply(Head(200, [(b"content-length", b"2")]), [(b"own", b"1")], b"{}")

    def at_once(self, scope: Scope) -> Reply | None:
        return self.KNOWN if scope["path"] == "/known" else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/known":
            await super().__call__(scope, receive, send)
            return
        self.asked += 1
        headers = [*self.KNOWN.head.headers, *self.KNOWN.own]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.KNOWN.body})


class Line:
    """A connection of a server of its own, to an application that is told what comes."""

    def __init__(self, bounds: Bounds = USUAL, *, taken: bool = False, app: App | None = None) -> None:
        self.app, self.transport, self.state = app or App(), Transport(taken=taken), ServerState()
        self.state.default_headers = [(b"date", b"Sat, 28 Nov 2026 12:00:00 GMT")]
        config = uvicorn.Config(
            self.app,
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            timeout_keep_alive=listening.KEEP_ALIVE_SECONDS,
        )
        self.protocol = BoundedProtocol(config, self.state, {}, bounds=bounds)
        self.protocol.connection_made(self.transport)

    async def hear(self, data: bytes) -> bytes:
        """Let the server hear something, and return what it has said in the end."""
        self.protocol.data_received(data)
        for _ in range(20):
            await asyncio.sleep(0)
        return self.transport.written

    @property
    def statuses(self) -> str:
        """The statuses of what was answered."""
        return " ".join(re.findall(r"HTTP/1\.1 (\d+)", self.transport.written.decode()))


@pytest.mark.parametrize(("taken", "end"), [(True, "closed"), (False, "aborted")])
async def test_a_connection_does_not_rest_for_ever(end: str, *, taken: bool) -> None:
    """Nor does an answer that its client does not take."""
    line = Line(taken=taken)
    assert (await line.hear(LIVEZ)).endswith(b"\r\n\r\n0")
    line.protocol.timeout_keep_alive_handler()
    assert line.transport.ends == [end]


async def test_whoever_is_refused_in_the_middle_is_gone_for_the_application() -> None:
    """It waits for no more of the body, and what it would say is not said."""
    line = Line(Bounds(body=10))
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert await line.hear(chunked + b"5\r\nhello\r\n") == b""
    said = await line.hear(b"6\r\n world\r\n")
    assert said.startswith(b"HTTP/1.1 413 ")
    assert said.count(b"HTTP/1.1") == 1
    assert (line.app.asked, line.app.left, line.transport.ends) == (1, 1, ["eof"])
    assert await line.hear(b"0\r\n\r\n" + LIVEZ) == said


async def test_what_is_refused_never_reaches_the_application() -> None:
    """Nor what follows it."""
    line = Line()
    said = await line.hear(b"GET /?" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n" + LIVEZ)
    assert said.startswith(b"HTTP/1.1 414 ")
    assert line.app.asked == 0


@pytest.mark.parametrize(
    ("begun", "answered"),
    [
        ([b""], ""),
        ([b"GET /livez"], "408"),
        ([b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{"], "408"),
        ([LIVEZ + b"GET"], "200 408"),
        ([LIVEZ, b"\r\n"], "200"),
        ([LIVEZ, b"GET /livez"], "200 408"),
    ],
)
def test_a_client_has_so_long_for_what_it_began(begun: list[bytes], answered: str) -> None:
    """Ten seconds from the first byte on, however many come after it; then it is told so, if it had begun to ask."""

    async def test() -> None:
        line = Line(taken=True)
        for part in begun:
            await line.hear(part)
        await asyncio.sleep(9.9)
        assert not line.transport.ends
        await asyncio.sleep(0.2)
        assert line.statuses == answered
        await asyncio.sleep(USUAL.linger)
        assert line.transport.is_closing()

    run(test())


def test_the_head_and_the_body_have_a_time_each() -> None:
    """And no time runs while the service is at work, or the connection rests for as long as balancers let it."""

    async def test() -> None:
        line = Line(taken=True)
        for part in (b"POST / HTTP/1.1\r\nHost: a\r\n", b"Content-Length: 2\r\n\r\n{", b"}"):
            await asyncio.sleep(9.0)
            await line.hear(part)
        assert line.statuses == "200"
        await asyncio.sleep(listening.KEEP_ALIVE_SECONDS - 1)
        assert not line.transport.ends
        await line.hear(LIVEZ)
        assert line.statuses == "200 200"

    run(test())


def test_who_is_gone_is_not_waited_for() -> None:
    """Nothing is said to a connection that was lost."""

    async def test() -> None:
        line = Line()
        await line.hear(b"GET /livez")
        line.protocol.connection_lost(None)
        await asyncio.sleep(60)
        assert line.statuses == ""

    run(test())


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("header", [b"", b"Connection: close\r\n"])
async def test_what_is_known_is_written_at_once_as_it_would_be_otherwise(version: str, header: bytes) -> None:
    """No task is made for it, and the connection ends or stays as it would."""
    asked = b"GET /known HTTP/%s\r\nHost: a\r\n%s\r\n" % (version.encode(), header)
    prompt, patient = Line(app=Prompt()), Line(app=Prompt())
    patient.protocol._at_once = lambda _: None
    prompt.protocol.data_received(asked)
    said = await patient.hear(asked)
    assert sorted(prompt.transport.written.split(b"\r\n")) == sorted(said.split(b"\r\n"))
    assert (prompt.app.asked, patient.app.asked) == (0, 1)
    assert prompt.transport.ends == patient.transport.ends
    assert prompt.state.total_requests == patient.state.total_requests == 1


async def test_what_is_known_waits_for_what_was_asked_before() -> None:
    """Answers come in the order of their requests, and the connection rests behind them."""
    line = Line(app=Prompt(), taken=True)
    known = b"GET /known HTTP/1.1\r\nHost: a\r\n\r\n"
    said = await line.hear(known + LIVEZ + known + known)
    assert [one.rpartition(b"\r\n")[2] for one in said.split(b"HTTP/1.1")[1:]] == [b"{}", b"0", b"{}", b"{}"]
    line.protocol.timeout_keep_alive_handler()
    assert line.transport.ends == ["closed"]


@pytest.mark.parametrize("expects", [b"", b"Expect: 100-continue\r\n"])
async def test_what_is_known_is_not_piled_up(expects: bytes) -> None:
    """Before a client that takes nothing it waits, as all answers do; and who expects to be told to go on is told."""
    line = Line(app=Prompt())
    if not expects:
        line.protocol.pause_writing()
    asked = b"GET /known HTTP/1.1\r\nHost: a\r\n" + expects + b"\r\n"
    await line.hear(asked)
    assert line.app.asked == 1
    line.protocol.resume_writing()
    assert (await line.hear(b"")).endswith(b"{}")
    line.protocol.connection_lost(None)


@pytest.mark.parametrize("path", [b"/livez", b"/known"])
async def test_nothing_stays_of_what_was_answered(path: bytes) -> None:
    """A request and the way to answer it know each other: they part, and need not be looked for as garbage."""
    asked = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path
    with uncollected() as there_are:
        line = Line(app=Prompt(), taken=True)
        for _ in range(3):
            await line.hear(asked)
        assert there_are(RequestResponseCycle) == 1
        line.protocol.connection_lost(None)
        del line
        assert there_are(RequestResponseCycle) == 0


async def test_nothing_stays_of_what_nobody_waits_for() -> None:
    """Who has gone meanwhile is not answered, which lets go of the request, too."""
    with uncollected() as there_are:
        line = Line(taken=True)
        await line.hear(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{")
        line.protocol.connection_lost(None)
        for _ in range(20):
            await asyncio.sleep(0)
        assert line.app.left == 1
        del line
        assert there_are(RequestResponseCycle) == 0
