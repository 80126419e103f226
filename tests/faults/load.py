"""Load from this process: many requests over kept connections, every answer noted.

Speaks plain HTTP/1.1 over sockets, since the driver shares two cores with what it drives.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import uvloop

ANSWER_SECONDS = 15.0
"""What a service has for an answer before it counts as none."""

NO_ANSWER = 0

MAX_OPEN = 400
"""Requests under way of a steady load: a machine that is slower than the load is to be slow, not to drown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for a path. `seconds` counts from when it was due; without an answer the status is 0."""

    path: str
    status: int
    due: float
    seconds: float
    body: bytes

    @property
    def content(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Answers(list[Answer]):
    """Answers in the order in which they came."""

    @property
    def statuses(self) -> Counter[int]:
        return Counter(answer.status for answer in self)

    @property
    def bodies(self) -> list[Any]:
        return [answer.content for answer in self]

    def percentile(self, percent: float) -> float:
        """Return the seconds within which so many percent of the answers came (nearest rank)."""
        ordered = sorted(answer.seconds for answer in self)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


Note = Callable[[Answer], None]


class Driver:
    """Asks a service for paths.

    Args:
        url: the service's.
        headers: sent with every request.
        note: is told every answer as it comes.
    """

    def __init__(self, url: str, note: Note, headers: Mapping[str, str] | None = None) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        named = {"Host": parts.netloc, **(headers or {})}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        self._note = note
        self._idle: list[_Connection] = []

    async def closed(self, paths: Iterable[str], *, clients: int, seconds: float) -> None:
        """Let so many clients ask one after another, until the paths or the time are used up."""
        loop, remaining = asyncio.get_running_loop(), iter(paths)
        end = loop.time() + seconds

        async def client() -> None:
            for path in remaining:
                await self._ask(path, loop.time())
                if loop.time() >= end:
                    return

        try:
            await asyncio.gather(*(client() for _ in range(clients)))
        finally:
            self._hang_up()

    async def steady(self, paths: Iterable[str], *, rate: float, seconds: float) -> None:
        """Ask so often a second, however long the answers take; less often when too many are under way."""
        asked = set[asyncio.Task[None]]()
        try:
            async for path, due in _paced(paths, rate, seconds):
                if len(asked) >= MAX_OPEN:
                    await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
                task = asyncio.create_task(self._ask(path, max(due, asyncio.get_running_loop().time())))
                asked.add(task)
                task.add_done_callback(asked.discard)
            await asyncio.gather(*asked)
        finally:
            await _cancelled(asked)
            self._hang_up()

    async def _ask(self, path: str, due: float) -> None:
        status, body = NO_ANSWER, b""
        with suppress(OSError, EOFError, ValueError, TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                status, body = await self._exchange(f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode())
        self._note(Answer(path, status, due, asyncio.get_running_loop().time() - due, body))

    async def _exchange(self, request: bytes) -> tuple[int, bytes]:
        connection = self._kept() or await _Connection.opened(self._host, self._port)
        try:
            answer = await connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answer

    def _kept(self) -> "_Connection | None":
        """Return a connection that is still of use: a server closes those on which nothing was asked for long."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.ended:
                return connection
            connection.close()
        return None

    def _hang_up(self) -> None:
        while self._idle:
            self._idle.pop().close()


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @property
    def ended(self) -> bool:
        return self._reader.at_eof() or self._writer.is_closing()

    @classmethod
    async def opened(cls, host: str, port: int) -> "_Connection":
        return cls(*await asyncio.open_connection(host, port))

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and return its answer's status and body, which has a length."""
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        _, _, length = head.partition(b"\r\ncontent-length:")
        return int(head[9:12]), await self._reader.readexactly(int(length.partition(b"\r\n")[0]))

    def close(self) -> None:
        self._writer.close()


def closed(
    url: str, paths: Iterable[str], *, clients: int, seconds: float = 60.0, headers: Mapping[str, str] | None = None
) -> Answers:
    """Return what so many clients get that ask one after another, until the paths or the time are used up."""
    answers = Answers()
    _run(Driver(url, answers.append, headers).closed(paths, clients=clients, seconds=seconds))
    return answers


def steady(
    url: str, paths: Iterable[str], *, rate: float, seconds: float, headers: Mapping[str, str] | None = None
) -> Answers:
    """Return what is answered when so many ask a second, as far as this machine can; see `Driver.steady`."""
    answers = Answers()
    _run(Driver(url, answers.append, headers).steady(paths, rate=rate, seconds=seconds))
    return answers


@contextmanager
def meanwhile(drive: Callable[[], Answers]) -> Iterator["Future[Answers]"]:
    """Drive from another thread while the body runs, and wait for its end."""
    with ThreadPoolExecutor(1, "load") as thread:
        yield thread.submit(drive)


class Background:
    """Load without an end, for a program that watches it.

    Args:
        drive: drives until it is cancelled.
    """

    def __init__(self, drive: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._drive = drive

    @contextmanager
    def running(self) -> Iterator[None]:
        """Drive from another thread while the body runs; whatever was asked has ended with it."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, ThreadPoolExecutor(1, "load") as thread:
            driven = runner.get_loop().create_task(self._drive())
            ended = thread.submit(runner.run, _until_cancelled(driven))
            try:
                yield
            finally:
                runner.get_loop().call_soon_threadsafe(driven.cancel)
                ended.result(ANSWER_SECONDS)


async def _paced(paths: Iterable[str], rate: float, seconds: float) -> AsyncIterator[tuple[str, float]]:
    """Yield each path when it is due, with that time; late ones at once, and none after the end."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number, path in zip(range(int(rate * seconds)), paths, strict=False):
        due = begun + number / rate
        if (early := due - loop.time()) > 0:
            await asyncio.sleep(early)
        if loop.time() > begun + seconds:
            return
        yield path, due


async def _cancelled(tasks: set["asyncio.Task[None]"]) -> None:
    """Cancel what is under way, and wait until it has closed its connection."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _until_cancelled(driven: "asyncio.Task[None]") -> None:
    with suppress(asyncio.CancelledError):
        await driven


def _run(work: Any) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)
