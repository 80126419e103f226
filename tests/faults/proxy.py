"""A TCP proxy that spoils what goes through it, in toxiproxy's words.

Toxics are switched on and off while connections are open. Times are in seconds, sizes in bytes.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

CHUNK = 65536
CONTROL_SECONDS = 10.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Stream = Literal["upstream", "downstream"]


@dataclass(eq=False)
class Link:
    """One connection through the proxy: the client's side and the server's."""

    writers: dict[Stream, asyncio.StreamWriter]
    """By the direction in which they carry: `downstream` writes to the client."""
    passed: dict[Stream, int] = field(default_factory=lambda: {"upstream": 0, "downstream": 0})
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def close(self) -> None:
        """End both sides at once."""
        self.closed.set()
        for writer in self.writers.values():
            writer.close()

    def reset(self) -> None:
        """End both sides as a crashed host's kernel would: with RST."""
        self.closed.set()
        for writer in self.writers.values():
            peer = writer.get_extra_info("socket")
            with suppress(OSError):
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()


@dataclass(frozen=True, kw_only=True)
class Toxic:
    """What happens to the data of one direction; by default to what comes back from the server."""

    stream: Stream = "downstream"

    async def through(self, data: bytes, link: Link) -> AsyncIterator[bytes]:
        """Yield what is passed on of some data, when it is."""
        yield data

    async def at_end(self, link: Link) -> None:
        """Wait before the end of a stream is passed on."""


@dataclass(frozen=True)
class Latency(Toxic):
    """Data comes later, give or take the jitter."""

    seconds: float
    jitter: float = 0.0

    async def through(self, data: bytes, link: Link) -> AsyncIterator[bytes]:
        await asyncio.sleep(max(0.0, self.seconds + random.uniform(-self.jitter, self.jitter)))
        yield data


@dataclass(frozen=True)
class Bandwidth(Toxic):
    """Data comes at so many bytes a second."""

    rate: float

    async def through(self, data: bytes, link: Link) -> AsyncIterator[bytes]:
        step = max(1, int(self.rate / 20))
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            await asyncio.sleep(len(piece) / self.rate)
            yield piece


@dataclass(frozen=True)
class Slicer(Toxic):
    """Data comes in small pieces of about one size, with a pause between them."""

    size: int
    variation: int = 0
    pause: float = 0.0

    async def through(self, data: bytes, link: Link) -> AsyncIterator[bytes]:
        start = 0
        while start < len(data):
            end = start + max(1, self.size + random.randint(-self.variation, self.variation))
            yield data[start:end]
            start = end
            await asyncio.sleep(self.pause)


@dataclass(frozen=True)
class LimitData(Toxic):
    """The connection is closed after so many bytes."""

    size: int

    async def through(self, data: bytes, link: Link) -> AsyncIterator[bytes]:
        yield data[: max(0, self.size - link.passed[self.stream])]
        if link.passed[self.stream] >= self.size:
            link.close()


@dataclass(frozen=True)
class Timeout(Toxic):
    """No data comes, and the connection is closed after a time; with 0 never, until the toxic is taken away."""

    seconds: float = 0.0

    async def through(self, data: bytes, link: Link) -> AsyncIterator[bytes]:
        with suppress(TimeoutError):
            await asyncio.wait_for(link.closed.wait(), self.seconds or None)
        link.close()
        yield b""


@dataclass(frozen=True)
class ResetPeer(Toxic):
    """The connection is reset in place of data, after a time."""

    seconds: float = 0.0

    async def through(self, data: bytes, link: Link) -> AsyncIterator[bytes]:
        await asyncio.sleep(self.seconds)
        link.reset()
        yield b""


@dataclass(frozen=True)
class SlowClose(Toxic):
    """Data comes as ever, the end of the connection later."""

    seconds: float

    async def at_end(self, link: Link) -> None:
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True)
class Down(Toxic):
    """Nobody listens, and all connections are gone."""


class Proxy:
    """Listens on a port of loopback and carries what comes to another one. A thread of its own does the work.

    Args:
        target: the port that it carries to.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.connections = 0
        """How many have been accepted so far."""
        self._target = target
        self._toxics: list[Toxic] = []
        self._links: set[Link] = set()
        self._server: asyncio.Server | None = None
        self._handlers: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._links)

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        """Carry while the body runs."""
        thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        thread.start()
        try:
            self._do(self._listen())
            yield self
        finally:
            self._do(self._stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(CONTROL_SECONDS)
            self._loop.close()

    @contextmanager
    def having(self, *toxics: Toxic) -> Iterator[None]:
        """Have these toxics, and no others, while the body runs."""
        self.set(*toxics)
        try:
            yield
        finally:
            self.set()

    def set(self, *toxics: Toxic) -> None:
        """Have these toxics, and no others, from now on; connections that only waited for nothing are closed."""
        self._do(self._changed(list(toxics)))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(CONTROL_SECONDS)

    async def _changed(self, toxics: list[Toxic]) -> None:
        stalled = any(isinstance(toxic, Timeout) for toxic in self._toxics)
        self._toxics = toxics
        down = any(isinstance(toxic, Down) for toxic in toxics)
        if down and self._server is not None:
            self._server.close()
            self._server = None
        if down or stalled:
            for link in list(self._links):
                link.reset()
        if not down and self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for link in list(self._links):
            link.reset()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        handler = asyncio.current_task()
        assert handler is not None
        self._handlers.add(handler)
        with suppress(OSError, asyncio.CancelledError):
            await self._carry(reader, writer)
        self._handlers.discard(handler)
        writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        link = Link({"upstream": far_writer, "downstream": writer})
        self._links.add(link)
        if self._server is None:  # since it was accepted
            link.reset()
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(link, "upstream", reader))
                pumps.create_task(self._pump(link, "downstream", far_reader))
        finally:
            self._links.discard(link)
            link.close()

    async def _pump(self, link: Link, stream: Stream, reader: asyncio.StreamReader) -> None:
        """Carry one direction to its end, and then the end."""
        with suppress(OSError):
            while not link.closed.is_set() and (data := await reader.read(CHUNK)):
                async for piece in _through(self._of(stream), data, link):
                    await self._send(link, stream, piece)
        for toxic in self._of(stream):
            await toxic.at_end(link)
        with suppress(OSError):
            if not link.closed.is_set():
                link.writers[stream].write_eof()

    async def _send(self, link: Link, stream: Stream, piece: bytes) -> None:
        if piece and not link.closed.is_set():
            link.passed[stream] += len(piece)
            link.writers[stream].write(piece)
            await link.writers[stream].drain()

    def _of(self, stream: Stream) -> list[Toxic]:
        return [toxic for toxic in self._toxics if toxic.stream == stream]


async def _through(toxics: list[Toxic], data: bytes, link: Link) -> AsyncIterator[bytes]:
    """Yield what is left of some data after all toxics."""
    if not toxics:
        yield data
        return
    async for piece in toxics[0].through(data, link):
        async for rest in _through(toxics[1:], piece, link):
            yield rest


@contextmanager
def proxied(url: str) -> Iterator[tuple[Proxy, str]]:
    """Run a proxy before a URL's port, and return it with the URL that leads through it."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    proxy = Proxy(int(host.rpartition(":")[2]))
    with proxy.running():
        yield proxy, f"{scheme}://127.0.0.1:{proxy.port}" + (f"/{path}" if path else "")
