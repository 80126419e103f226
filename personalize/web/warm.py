"""The short lane: an answer that was given before, and still holds, is sent again as it was.

Behind it a request is taken apart, its visitor is looked up and its recipe asked. None of that can come out otherwise
while what the answer rests on is the same, and most visitors were here a moment ago. What the lane does not know for
certain it declines; then the request goes the whole way.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias
from weakref import WeakValueDictionary

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from personalize.engine import Outcome
from personalize.model import SectionName
from personalize.ports import Basis
from personalize.telemetry.metrics import Metrics

MAX_ANSWERS = 50_000
"""Answers that are remembered, at some 500 bytes each: all who are told the same share what they are told."""

FLUSH_SECONDS = 0.5
"""After which answers of the lane are in the metrics."""

OUTCOME = "outcome"
"""Under which the handler leaves an answer's outcome in a request's state."""

_PREFIX = "/api/"
_DECLINED = frozenset({b"authorization", b"if-none-match", b"x-request-id"})
"""Headers by which somebody is told something of their own."""

_OWN = frozenset({b"cache-control", b"x-request-id"})
"""Headers that differ from one answer to the next."""

Asked: TypeAlias = tuple[str, bytes, bytes | None]
"""A path, a query string and an origin."""


class Sent:
    """What was sent, but for what differs each time."""

    __slots__ = ("__weakref__", "body", "headers")

    def __init__(self, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.headers = headers
        self.body = body


@dataclass(slots=True)
class Tally:
    """The answers of one kind that are not in the metrics yet, by the seconds that each took."""

    recipe: str
    provenance: str
    sections: tuple[SectionName, ...]
    seconds: list[float] = field(default_factory=list)

    def flush(self, metrics: Metrics) -> None:
        """Count them as those are that go the whole way."""
        seconds, self.seconds = self.seconds, []
        metrics.requests.labels(self.recipe, self.provenance).inc(len(seconds))
        for name in self.sections:
            metrics.cache_reads.labels(name, "memory").inc(len(seconds))
            metrics.sections.labels(name, self.provenance).inc(len(seconds))
        observe = metrics.request_seconds.labels(self.recipe).observe
        for one in seconds:
            observe(one)


@dataclass(frozen=True, slots=True)
class Warm:
    """An answer that may be sent again while its basis holds, and `until` a time of the monotonic clock."""

    sent: Sent
    basis: Basis
    until: float
    tally: Tally


class WarmAnswers:
    """The answers that were given last.

    Args:
        metrics: counts them when they are given again.
        browser_ttl: seconds that a browser may keep an answer at most.
        most: how many are remembered; the oldest go first, and come back with their next request.
    """

    def __init__(self, metrics: Metrics, *, browser_ttl: float, most: int = MAX_ANSWERS) -> None:
        self._metrics = metrics
        self._browser_ttl = browser_ttl
        self._most = most
        self._answers: dict[Asked, Warm] = {}
        self._sent: WeakValueDictionary[tuple[bytes, bytes | None], Sent] = WeakValueDictionary()
        self._tallies: dict[tuple[object, ...], Tally] = {}

    def find(self, asked: Asked, now: float) -> Warm | None:
        """Return an answer that still holds at a time of the monotonic clock."""
        warm = self._answers.get(asked)
        if warm is None or (now < warm.until and warm.basis.holds()):
            return warm
        del self._answers[asked]
        return None

    def keep(self, asked: Asked, outcome: Outcome, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Remember what was sent, if it rests on something that can be looked at again."""
        if outcome.basis is None:
            return
        told = dict(headers).get(b"etag", b""), asked[2]
        sent = self._sent.get(told)
        if sent is None:
            sent = self._sent[told] = Sent([one for one in headers if one[0] not in _OWN], body)
        if len(self._answers) >= self._most:
            del self._answers[next(iter(self._answers))]
        self._answers[asked] = Warm(sent, outcome.basis, time.monotonic() + outcome.fresh_for, self._tally(outcome))

    async def give(self, warm: Warm, send: Send, now: float) -> None:
        """Send an answer again: as old as it is by now, and with an id of its own."""
        age = b"private, max-age=%d" % min(self._browser_ttl, warm.until - now)
        own = ((b"cache-control", age), (b"x-request-id", os.urandom(16).hex().encode()))
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": [*warm.sent.headers, *own]})
        await send({"type": "http.response.body", "body": warm.sent.body})
        warm.tally.seconds.append(time.monotonic() - now)

    @asynccontextmanager
    async def counted(self) -> AsyncIterator[None]:
        """Bring the answers into the metrics now and then while the body runs, and the last ones after it."""
        flushing = asyncio.create_task(self._flush_often(), name="warm answers")
        try:
            yield
        finally:
            flushing.cancel()
            await asyncio.wait([flushing])
            self.flush()

    def flush(self) -> None:
        """Bring the answers into the metrics."""
        for tally in self._tallies.values():
            if tally.seconds:
                tally.flush(self._metrics)

    async def _flush_often(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self.flush()

    def _tally(self, outcome: Outcome) -> Tally:
        kind = outcome.recipe, outcome.provenance, tuple(sorted(outcome.readings))
        return self._tallies.setdefault(kind, Tally(*kind))


class WarmLane:
    """Answers from the lane where it can; else lets the application answer, and remembers what it sends. Pure ASGI."""

    def __init__(self, app: ASGIApp, answers: WarmAnswers) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        asked = _asked(scope) if scope["type"] == "http" else None
        if asked is None:
            await self._app(scope, receive, send)
            return
        now = time.monotonic()
        warm = self._answers.find(asked, now)
        if warm is None:
            await self._app(scope, receive, self._noting(asked, scope, send))
        else:
            await self._answers.give(warm, send, now)

    def _noting(self, asked: Asked, scope: Scope, send: Send) -> Send:
        """Return a `send` that remembers a whole answer and what it rests on."""
        begun: Message = {}

        async def noting(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = message
            elif begun["status"] == HTTPStatus.OK and (outcome := scope.get("state", {}).get(OUTCOME)) is not None:
                self._answers.keep(asked, outcome, begun["headers"], message["body"])
            await send(message)

        return noting


def _asked(scope: Scope) -> Asked | None:
    """Return what a request asks, if nothing but its path, query and origin can make a difference."""
    path: str = scope["path"]
    if scope["method"] != "GET" or not path.startswith(_PREFIX):
        return None
    origin = None
    for name, value in scope["headers"]:
        if name in _DECLINED or (name == b"origin" and origin is not None) or (name == b"accept" and b"html" in value):
            return None
        if name == b"origin":
            origin = value
    return path, scope["query_string"], origin
