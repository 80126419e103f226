"""The calls that the emulated APIs answered, so that a test can count them."""

from collections import Counter, deque

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from personalize.sandbox.moments import Clock, micros, written
from personalize.sandbox.rawpath import route

KEPT = 10_000


class Call(msgspec.Struct, frozen=True):
    """One call. `path` is as sent, with its query; `route` is the path's last segment; `at` is ISO 8601."""

    method: str
    path: str
    route: str
    status: int
    at: str


class Calls:
    """The last calls, and how many there were in all.

    Args:
        kept: how many calls are kept; older ones are still counted.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._last: deque[Call] = deque(maxlen=kept)
        self._totals: Counter[str] = Counter()

    def add(self, call: Call) -> None:
        """Keep a call."""
        self._last.append(call)
        self._totals[call.route] += 1

    def total(self, route: str | None = None) -> int:
        """Return how many calls there were, of one route or of all."""
        return self._totals.total() if route is None else self._totals[route]

    def last(self, route: str | None = None) -> list[Call]:
        """Return the calls that are kept, oldest first, of one route or of all."""
        return [call for call in self._last if route in (None, call.route)]

    def forget(self) -> None:
        """Start from zero."""
        self._last.clear()
        self._totals.clear()


class Recorded:
    """Middleware that keeps every call of an app.

    Args:
        app: what answers.
        calls: where they are kept.
        clock: what time it is.
    """

    def __init__(self, app: ASGIApp, calls: Calls, clock: Clock) -> None:
        self._app = app
        self._calls = calls
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and note the status as the answer starts."""

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._calls.add(self._call(scope, message["status"]))
            await send(message)

        await self._app(scope, receive, noting)

    def _call(self, scope: Scope, status: int) -> Call:
        path = scope["raw_path"].decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        return Call(
            method=scope["method"],
            path=f"{path}?{query}" if query else path,
            route=route(scope),
            status=status,
            at=written(micros(self._clock())),
        )
