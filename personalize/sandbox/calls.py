"""The calls that came to the emulated APIs, so that a test can count them."""

from collections import Counter

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from personalize.sandbox.moments import Clock, micros, written
from personalize.sandbox.rawpath import route

KEPT = 10_000


class Call(msgspec.Struct, frozen=True):
    """One call. `path` is as sent, with its query; `route` is the path's last segment; `at` is ISO 8601.

    `status` is that of its answer; `None` until that starts.
    """

    method: str
    path: str
    route: str
    at: str
    status: int | None = None


class Calls:
    """The last calls, and how many there were in all.

    Args:
        kept: how many calls are kept; older ones are still counted.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._count = 0
        self._last: dict[int, Call] = {}
        self._totals: Counter[str] = Counter()

    def add(self, call: Call) -> int:
        """Keep a call; return its number."""
        self._count += 1
        self._last[self._count] = call
        self._totals[call.route] += 1
        if len(self._last) > self._kept:
            del self._last[next(iter(self._last))]
        return self._count

    def answered(self, number: int, status: int) -> None:
        """Note a call's status, unless it was forgotten meanwhile."""
        if number in self._last:
            self._last[number] = msgspec.structs.replace(self._last[number], status=status)

    def total(self, route: str | None = None) -> int:
        """Return how many calls there were, of one route or of all."""
        return self._totals.total() if route is None else self._totals[route]

    def last(self, route: str | None = None) -> list[Call]:
        """Return the calls that are kept, oldest first, of one route or of all."""
        return [call for call in self._last.values() if route in (None, call.route)]

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
        """Keep the call as it comes, and answer; note the status as the answer starts."""
        number = self._calls.add(self._call(scope))

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._calls.answered(number, message["status"])
            await send(message)

        await self._app(scope, receive, noting)

    def _call(self, scope: Scope) -> Call:
        path = scope["raw_path"].decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        return Call(
            method=scope["method"],
            path=f"{path}?{query}" if query else path,
            route=route(scope),
            at=written(micros(self._clock())),
        )
