"""The log of answers: every one that is not as it should be, and of the others as many as the operator wants."""

import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from random import random as chance

from msgspec import Struct
from msgspec.structs import replace
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from personalize.engine import Outcome
from personalize.model import Tier, Visitor
from personalize.telemetry import logs, tracing
from personalize.telemetry.metrics import Metrics
from personalize.telemetry.pseudonym import Pseudonyms
from personalize.telemetry.spans import Span

ANSWERED = "answered"
"""Under which a handler leaves in a request's state whom it is about and what came of it; see `Answered`."""

REFUSED = "refused"
"""Under which the label of a refusal is left there."""

BEGAN = "began"
"""Under which stands there when a request was first worked on, if that was before the whole way (`perf_counter`)."""

TRACEPARENT = b"traceparent"

ELSEWHERE = "other"
"""The route of what is none: its path is the caller's own word."""

_SOUND = frozenset({"fresh", None})
_OUTCOMES = ("error", "default", "stale", "negative", "fresh")
"""The worst first: a page is as good as the worst of its recipes."""

_TIERS: tuple[Tier, ...] = ("none", "profile_api", "redis", "memory")
"""The farthest first."""


class Answered(Struct, frozen=True):
    """Whom an answer is about, and what came of it. `refusal` is the label of an entry that a page did not get."""

    visitor: Visitor
    outcomes: Sequence[Outcome]
    refusal: str | None = None

    @property
    def outcome(self) -> str | None:
        """A word for how it went."""
        found = {one.provenance for one in self.outcomes}
        return self.refusal or next((one for one in _OUTCOMES if one in found), None)

    @property
    def tier(self) -> Tier | None:
        """The farthest that it came from; `None` where no profile was read."""
        found = {reading.tier for one in self.outcomes for reading in one.readings.values()}
        return next((one for one in _TIERS if one in found), None)


class Line(Struct, frozen=True):
    """What the log says of an answer, but for its id and its time."""

    method: str
    route: str
    status: int
    outcome: str | None = None
    tier: Tier | None = None
    visitor: str | None = None

    @property
    def sound(self) -> bool:
        """Whether it is as it should be: fresh, or known to the one who asks, or of no visitor at all."""
        return self.status < HTTPStatus.BAD_REQUEST and self.outcome in _SOUND


class AccessLog:
    """Decides which answers get a line.

    Args:
        share: of the sound answers, from 0 to 1; of the others every one, until there are too many alike.
        pseudonyms: hash the visitor.
        random: a number from 0 to 1.
    """

    def __init__(self, share: float, pseudonyms: Pseudonyms, random: Callable[[], float] = chance) -> None:
        self._share = share
        self._pseudonyms = pseudonyms
        self._random = random

    @property
    def looks_at_sound(self) -> bool:
        """Whether any sound answer gets a line: else nothing need be known of them."""
        return self._share > 0

    def line(self, method: str, route: str, status: int, answered: Answered | None, refusal: str | None) -> Line:
        """Return what there is to say of an answer; of a sound one little, where no line is written of those."""
        if answered is None:
            return Line(method, route, status, refusal)
        line = Line(method, route, status, refusal or answered.outcome)
        if line.sound and not self.looks_at_sound:
            return line
        return replace(line, tier=answered.tier, visitor=self._hashed(answered.visitor))

    def tell(self, line: Line, request_id: str, seconds: float) -> None:
        """Write a line, if it is wanted; `all` is all, and of others alike beyond a number only the count is told."""
        if line.sound and self._random() >= self._share:
            return
        logs.request_answered(
            line.method,
            line.route,
            line.status,
            request_id=request_id,
            milliseconds=round(seconds * 1000, 1),
            known={"outcome": line.outcome, "tier": line.tier, "visitor": line.visitor},
            sparingly=not line.sound and self._share < 1,
        )

    def _hashed(self, visitor: Visitor) -> str | None:
        """Return a visitor's first id as its Redis key has it, so that the one finds the other."""
        for collection in ("users", "accounts"):
            for one in visitor.external_ids(collection):
                return self._pseudonyms(collection, str(one))
        return None


class Answers:
    """Counts every answer that goes the whole way, and has it logged and traced. Pure ASGI.

    Args:
        app: what answers.
        access_log: has the last word on lines.
        metrics: counts.
        routes: the route table; its templates are labels.
    """

    def __init__(self, app: ASGIApp, access_log: AccessLog, metrics: Metrics, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._access_log = access_log
        self._metrics = metrics
        self._templates: Mapping[object, str] = {one.endpoint: one.path for one in routes if isinstance(one, Route)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; count and tell how it was answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with tracing.serving(_traceparent(scope)) as span:
            await self._traced(scope, receive, send, span)

    async def _traced(self, scope: Scope, receive: Receive, send: Send, span: Span) -> None:
        started, status = scope.get("state", {}).get(BEGAN) or time.perf_counter(), 0

        async def watching(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])  # of an `HTTPStatus` the log would show the name
            await send(message)

        try:
            await self._app(scope, receive, watching)
        finally:
            if status:  # else nobody waited for the answer
                line = self._noted(scope, status, time.perf_counter() - started)
                span.rename(f"{line.method} {line.route}")
                span.note(method=line.method, route=line.route, status=status, outcome=line.outcome or "none")
                span.note(request_id=scope["state"]["request_id"])

    def _noted(self, scope: Scope, status: int, seconds: float) -> Line:
        route, state = self._templates.get(scope.get("endpoint"), ELSEWHERE), scope["state"]
        self._metrics.http_responses.labels(route, str(status)).inc()
        line = self._access_log.line(scope["method"], route, status, state.get(ANSWERED), state.get(REFUSED))
        self._access_log.tell(line, state["request_id"], seconds)
        return line


def _traceparent(scope: Scope) -> str | None:
    """Return the trace that a request comes with; of several the last one, as of any header that may stand once."""
    return next((value.decode("latin-1") for name, value in reversed(scope["headers"]) if name == TRACEPARENT), None)
