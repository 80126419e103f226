"""The control API: what was called, faults, the clock, the webhook, and starting over."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from personalize.sandbox import moments
from personalize.sandbox.answers import invalid, json
from personalize.sandbox.bodies import body
from personalize.sandbox.calls import Calls
from personalize.sandbox.clocks import MovableClock
from personalize.sandbox.dropped import Dropped
from personalize.sandbox.faults import Fault, Faults
from personalize.sandbox.messages import CALL_BYTES, read
from personalize.sandbox.pusher import Pusher, Target

T = TypeVar("T")


class Move(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a clock goes: by a span (`48h`, `-30m`), or to a moment (ISO 8601)."""

    advance: str | None = None
    at: str | None = None

    def __post_init__(self) -> None:
        if (self.advance is None) == (self.at is None):
            raise ValueError("needs either `advance` or `at`")


class ControlApi:
    """The routes under `/sandbox/`. They need no credentials: the sandbox is for one person's own machine.

    Args:
        calls: what came to the emulated APIs.
        dropped: the Tracking calls that were answered with success, and left out.
        faults: how these APIs misbehave.
        clock: what time the sandbox says it is.
        pusher: what sends the webhook's calls.
        start_over: brings the store back to the seeded visitors, and the history that the sandbox began with.
        catch_up: computes what follows from another time.
    """

    def __init__(
        self,
        *,
        calls: Calls,
        dropped: Dropped,
        faults: Faults,
        clock: MovableClock,
        pusher: Pusher,
        start_over: Callable[[], None],
        catch_up: Callable[[], None],
    ) -> None:
        self._calls = calls
        self._dropped = dropped
        self._faults = faults
        self._clock = clock
        self._pusher = pusher
        self._start_over = start_over
        self._catch_up = catch_up

    def routes(self) -> list[Route]:
        """Return the routes, relative to `/sandbox`."""
        return [
            Route("/calls", self.recorded, methods=["GET"]),
            Route("/calls", self.forget, methods=["DELETE"]),
            Route("/dropped", self.dropped, methods=["GET"]),
            Route("/dropped", self.forget_dropped, methods=["DELETE"]),
            Route("/faults", self.faults, methods=["GET"]),
            Route("/faults", self.misbehave, methods=["POST"]),
            Route("/faults", self.behave, methods=["DELETE"]),
            Route("/clock", self.time, methods=["GET"]),
            Route("/clock", self.move, methods=["POST"]),
            Route("/clock", self.move_back, methods=["DELETE"]),
            Route("/webhook", self.webhook, methods=["GET"]),
            Route("/webhook", self.aim, methods=["POST"]),
            Route("/webhook", self.disarm, methods=["DELETE"]),
            Route("/reset", self.reset, methods=["POST"]),
            Route("/health", self.health, methods=["GET"]),
        ]

    async def recorded(self, request: Request) -> Response:
        """Return the calls so far, oldest first; `?route=traits` returns those of one route."""
        route = request.query_params.get("route")
        return json({"total": self._calls.total(route), "calls": self._calls.last(route)})

    async def forget(self, _request: Request) -> Response:
        """Forget the calls so far."""
        self._calls.forget()
        return Response(status_code=204)

    async def dropped(self, _request: Request) -> Response:
        """Return the Tracking calls that were not valid, oldest first, each with the reason."""
        return json({"total": self._dropped.total, "dropped": self._dropped.last()})

    async def forget_dropped(self, _request: Request) -> Response:
        """Forget these."""
        self._dropped.forget()
        return Response(status_code=204)

    async def faults(self, _request: Request) -> Response:
        """Return the faults that are told, oldest first, each with the times that are left."""
        return json({"faults": self._faults.current()})

    async def misbehave(self, request: Request) -> Response:
        """Let a fault happen from now on."""
        self._faults.add(await _told(request, Fault))
        return await self.faults(request)

    async def behave(self, _request: Request) -> Response:
        """Forget all faults."""
        self._faults.clear()
        return Response(status_code=204)

    async def time(self, _request: Request) -> Response:
        """Return the sandbox's time, and by how many seconds it is ahead of the real one."""
        now = moments.written(moments.micros(self._clock()))
        return json({"now": now, "ahead_seconds": self._clock.ahead.total_seconds()})

    async def move(self, request: Request) -> Response:
        """Move the clock, and compute what follows for windows."""
        move = await _told(request, Move)
        try:
            if move.advance is not None:
                self._clock.advance(_span(move.advance))
            else:
                self._clock.set(_moment(str(move.at)))
        except OverflowError:
            raise invalid("advance", "leads out of the years 1 to 9999.") from None
        self._catch_up()
        return await self.time(request)

    async def move_back(self, request: Request) -> Response:
        """Let it be the real time again."""
        self._clock.back()
        self._catch_up()
        return await self.time(request)

    async def webhook(self, _request: Request) -> Response:
        """Return where changes are pushed to, and what became of them."""
        target = self._pusher.target
        members: dict[str, Any] = {"url": target and target.url, "signed": bool(target and target.secret)}
        return json(members | {"waiting": self._pusher.waiting} | msgspec.to_builtins(self._pusher.tally))

    async def aim(self, request: Request) -> Response:
        """Push changes to another URL from now on."""
        self._pusher.target = await _told(request, Target)
        return await self.webhook(request)

    async def disarm(self, _request: Request) -> Response:
        """Push changes to nobody."""
        self._pusher.target = None
        return Response(status_code=204)

    async def reset(self, _request: Request) -> Response:
        """Be as on the first start: the visitors and the history, no calls, no faults, the real time.

        The webhook stays.
        """
        self._clock.back()
        self._faults.clear()
        self._start_over()
        self._calls.forget()
        self._dropped.forget()
        return Response(status_code=204)

    async def health(self, _request: Request) -> Response:
        """Return that the sandbox is up."""
        return json({"status": "ok"})


async def _told(request: Request, shape: type[T]) -> T:
    """Return a request's body.

    Raises:
        Refused: it is not such a body; the message names the field.
    """
    return read(await body(request, CALL_BYTES), shape)


def _span(text: str) -> timedelta:
    try:
        return moments.span(text)
    except ValueError as error:
        raise invalid("advance", f"{error}.") from None


def _moment(text: str) -> datetime:
    try:
        return moments.moment(moments.parsed(text))
    except ValueError:
        raise invalid("at", "has to be a date or time in ISO 8601.") from None
