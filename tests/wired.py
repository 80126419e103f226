"""A service asked over its own protocol, without sockets: what a client writes is read, and what is written is told."""

import asyncio

import httptools
import httpx
import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from personalize.protocol import USUAL, BoundedProtocol

CLIENT, SERVER = ("127.0.0.1", 123), ("127.0.0.1", 80)


class Wire(asyncio.Transport):
    """The server's end of a connection, by which an answer is read."""

    def __init__(self) -> None:
        super().__init__({"peername": CLIENT, "sockname": SERVER})
        self.status, self.body, self.headers = 0, b"", list[tuple[bytes, bytes]]()
        self.whole = asyncio.Event()
        self._parser = httptools.HttpResponseParser(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.whole.set()

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def resume_reading(self) -> None:
        """Go on."""

    def close(self) -> None:
        """End."""


async def asked(app: ASGIApp, request: httpx.Request) -> tuple[httpx.Response, bool]:
    """Return what an application answers to a browser's `GET`, and whether it had the answer at once."""
    config = uvicorn.Config(app, lifespan="off", log_config=None, proxy_headers=False)
    protocol, wire = BoundedProtocol(config, ServerState(), {}, bounds=USUAL), Wire()
    protocol.connection_made(wire)
    protocol.data_received(_written(request))
    at_once = wire.whole.is_set()
    await wire.whole.wait()
    protocol.connection_lost(None)
    return httpx.Response(wire.status, headers=wire.headers, content=wire.body), at_once


def _written(request: httpx.Request) -> bytes:
    """Return a request's head as HTTP/1.1 writes it."""
    line = b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path)
    return b"\r\n".join([line, *(b"%s: %s" % one for one in request.headers.raw), b"", b""])
