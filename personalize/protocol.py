"""The bounded HTTP protocol: what a client may send, how much of it, and how long it may take.

uvicorn itself waits for ever for a request, and takes a header of any length. What goes beyond the bounds is answered
with a problem before the application hears of it, and ends the connection: its rest could not be told from a next
request.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, cast

import httptools
from starlette.types import Scope
from uvicorn import Config
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from personalize.errors import (
    BodyTooLarge,
    HeadersTooLarge,
    MalformedRequest,
    Overloaded,
    PersonalizeError,
    TooSlow,
    UrlTooLong,
)
from personalize.framing import announced
from personalize.refusals import refusal
from personalize.telemetry import refusals
from personalize.trust.origins import Origins
from personalize.web.lane import GIVE
from personalize.web.middleware import marks
from personalize.web.warm import Reply


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a client may send. Sizes are in bytes, times in seconds; `connections` are those of one process.

    `receive` is what a head may take, and a body; `take` for how long an answer waits to be taken; `linger` for how
    long the rest of what was refused is thrown away, so that the answer is not; `pipelined` how many requests may be
    sent before the first is answered.
    """

    url: int = 8 * 1024
    headers: int = 100
    header_bytes: int = 16 * 1024
    body: int = 1024 * 1024
    receive: float = 10.0
    take: float = 60.0
    linger: float = 1.0
    connections: int = 2000
    pipelined: int = 16

    @property
    def head(self) -> int:
        """What a head may have before it is whole: its request line has a few bytes beside the URL."""
        return self.url + self.header_bytes + 256

    @property
    def framed_body(self) -> int:
        """What a body may have with the lengths of its chunks, and its trailers."""
        return 2 * self.body + self.header_bytes


USUAL = Bounds()
NOBODY = Origins(())


class BoundedProtocol(HttpToolsProtocol):
    """One connection, within bounds.

    Args:
        config: uvicorn's.
        server_state: what the connections of a process have in common.
        app_state: the lifespan's.
        _loop: uvicorn's, for its tests.
        bounds: what a client may send.
        origins: whose pages may read what they are told.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        bounds: Bounds,
        origins: Origins = NOBODY,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._bounds = bounds
        self._origins = origins
        self._phase: Literal["between", "head", "body"] = "between"
        self._begun = False
        """Whether a message began in the bytes that are being read."""
        self._received = self._body_bytes = 0
        self._answering: RequestResponseCycle | None = None
        self._at_once: Callable[[Scope], Reply | None] = getattr(self.app, "at_once", _never)
        self._timer: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None
        self._refused = False
        self._url_too_long = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for a request; where there are too many connections, in place of the one that has rested longest."""
        super().connection_made(transport)
        if len(self.connections) > self._bounds.connections and not self._make_room():
            self._refuse(Overloaded("There are too many connections just now."))
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        self._stop_taking()
        if self._answering is not None:  # which may be another request than the last one, of which uvicorn thinks
            self._answering.disconnected = True
            self._answering.message_event.set()
            self._part()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what a client sends, as far as it is within the bounds."""
        if self._refused:
            return
        self._unset_keepalive_if_required()
        try:
            self._read(data)
        except PersonalizeError as error:
            self._refuse(error)
        except httptools.HttpParserError as error:
            reason = error.__context__  # what a callback raised
            self._refuse(reason if isinstance(reason, PersonalizeError) else MalformedRequest("This is not HTTP/1.1."))
        else:
            self._wait()

    def on_message_begin(self) -> None:
        """Begin to count."""
        if len(self.pipeline) >= self._bounds.pipelined:
            raise Overloaded("There are too many requests on this connection.")
        super().on_message_begin()
        self._stop_waiting()
        self._phase, self._begun, self._url_too_long = "head", True, False
        self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the URL; of one that is too long the headers are heard still, which say who may know."""
        super().on_url(url)
        self._url_too_long = len(self.url) > self._bounds.url
        if len(self.url) > self._bounds.head:
            raise self._head_too_large()

    def on_headers_complete(self) -> None:
        """Let the application hear of the request, unless its head alone says that it is beyond the bounds."""
        if self._url_too_long or self._too_many_headers():
            raise self._head_too_large()
        version, upgrade = self.parser.get_http_version(), self.parser.should_upgrade()
        if announced(self.headers, version, upgrade=upgrade) > self._bounds.body:
            raise self._body_too_large()
        super().on_headers_complete()
        self.headers = self.headers.copy()  # what comes now are trailers: they count, and nobody hears of them
        self._phase = "body"
        self._stop_waiting()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body_bytes += len(body)
        if self._body_bytes > self._bounds.body:
            raise self._body_too_large()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Have all of a request; what was a trailer comes behind all that a proxy has looked at (RFC 9110, 6.5.1)."""
        if self._too_many_headers():
            raise self._head_too_large()
        super().on_message_complete()
        self._phase = "between"
        self._stop_waiting()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        self._part()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Give the client so long to take what waits for it: behind that a next answer would wait for ever."""
        super().pause_writing()
        self._taking = self.loop.call_later(self._bounds.take, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on writing."""
        self._stop_taking()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has rested for long, also if its client has not taken the answer yet."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        reply = self._at_once(cast("Scope", cycle.scope)) if self._takes(cycle) else None
        if reply is None:
            cycle.scope["state"][GIVE] = partial(self._give, cycle)
            super()._start_asgi_task(cycle, app)
        else:
            self._give(cycle, reply)
            cycle.on_response = _nobody

    def _part(self) -> None:
        """Let go of the way in which a request was to be answered: they hold each other, and would stay as garbage."""
        if self._answering is not None:
            self._answering.scope["state"].pop(GIVE, None)

    def _takes(self, cycle: RequestResponseCycle) -> bool:
        """Whether an answer can be written without waiting for anything."""
        return not (cycle.disconnected or cycle.waiting_for_100_continue or self.flow.write_paused)

    def _give(self, cycle: RequestResponseCycle, reply: Reply) -> bool:
        """Write an answer that is there whole, without the messages that others take; return whether that can be."""
        if not self._takes(cycle):
            return False
        cycle.response_started = cycle.response_complete = True
        headers = [*self.server_state.default_headers, *reply.own]
        if not cycle.keep_alive:
            headers.append((b"connection", b"close"))
        own = [b"%s: %s\r\n" % one for one in headers]
        self.transport.write(b"".join((reply.head.lines, *own, b"\r\n", reply.body)))
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()
        return True

    def _read(self, data: bytes) -> None:
        """Feed the parser; count what it makes nothing of yet, too: one header, or trailer, may be endless."""
        self._begun = False
        self._received += len(data)
        self._feed(data)
        if self._begun:
            self._received = 0
        if self._phase != "between" and self._too_many_headers():
            raise self._head_too_large()
        if self._phase == "head" and self._received > self._bounds.head:
            raise self._head_too_large()
        if self._phase == "body" and self._received > self._bounds.framed_body:
            raise self._body_too_large()

    def _feed(self, data: bytes) -> None:
        """Feed the parser; it stops after a request for another protocol, which is answered as if it had not asked.

        It stops behind the head: such a request has no body, see `announced`.
        """
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
            else:
                return

    def _too_many_headers(self) -> bool:
        """Whether there are more headers, or trailers, than there may be; they are no larger than what has come."""
        if len(self.headers) > self._bounds.headers:
            return True
        most = self._bounds.header_bytes
        return self._received > most and sum(len(name) + len(value) + 4 for name, value in self.headers) > most

    @property
    def _busy(self) -> bool:
        """Whether a request is being answered."""
        return self._answering is not None and not self._answering.response_complete

    def _wait(self) -> None:
        """Give the client so long for what it is to send now; what it has begun to wait for goes on counting."""
        idle = self._phase == "between" and (self._busy or self.timeout_keep_alive_task is not None)
        if not idle and self._timer is None:
            self._timer = self.loop.call_later(self._bounds.receive, self._waited)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_taking(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _waited(self) -> None:
        if self._phase == "between":  # nothing has been asked that could be answered
            self.transport.close()
        else:
            self._refuse(TooSlow(f"The request was not here within {self._bounds.receive:g} s."))

    def hang_up(self) -> None:
        """Close the connection while it rests; a client that comes back opens another."""
        self._unset_keepalive_if_required()
        self.transport.close()

    def _make_room(self) -> bool:
        """Close the connection on which nobody has asked anything for longest, if there is one."""
        everybody = cast("set[BoundedProtocol]", self.connections)
        resting = {task.when(): one for one in everybody if (task := one.timeout_keep_alive_task)}
        if resting:
            resting[min(resting)].hang_up()
        return bool(resting)

    def _refuse(self, error: PersonalizeError) -> None:
        """Read no more, and say why: to the request that is being received, unless there is one before it."""
        self._refused = True
        self._stop_waiting()
        refusals.refused(error.status)
        if not self._busy:
            self._close_after(error if self._phase != "body" else None)  # else it has its answer already
        elif self._phase == "body" and self._answering is self.cycle and not self.cycle.response_started:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._close_after(error)
        else:
            self.pipeline.clear()
            cast("RequestResponseCycle", self._answering).keep_alive = False

    def _close_after(self, error: PersonalizeError | None) -> None:
        """Answer, and close when the client has seen it, or had time to: what is closed at once it may never see."""
        if error is not None:
            default = [(name.decode(), value.decode()) for name, value in self.server_state.default_headers]
            self.transport.write(refusal(error, [*default, *self._marks()]))
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(self._bounds.linger, self.transport.close)

    def _marks(self) -> list[tuple[str, str]]:
        """Return what lets the page read a refusal, as it may read an answer: as far as its head is known."""
        known = self.scope["headers"] if self._phase != "between" else []
        origin = next((value.decode("latin-1") for name, value in known if name == b"origin"), None)
        return marks(self._origins, origin)

    def _head_too_large(self) -> PersonalizeError:
        if self._url_too_long:
            return UrlTooLong(f"The URL is longer than {_kib(self._bounds.url)}.")
        most = f"{self._bounds.headers} headers and {_kib(self._bounds.header_bytes)}"
        return HeadersTooLarge(f"There are more than {most} of headers.")

    def _body_too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"The body is larger than {_kib(self._bounds.body)}.")


def _never(_: Scope) -> None:
    """Answer for an application that has no answers at once."""


def _nobody() -> None:
    """Be told of an answer in place of its connection: uvicorn does the same behind a task."""


def _kib(size: int) -> str:
    return f"{size / 1024:g} KiB"
