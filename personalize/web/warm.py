"""Warm answers: what was sent, to be sent again while all that it rests on holds."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeAlias

from starlette.types import Send

from personalize.engine import Outcome
from personalize.ports import Basis
from personalize.web.access_log import ANSWERED, AccessLog, Line
from personalize.web.tallies import Tallies, Tally

GIVEN = "given"
"""Under which a handler leaves in a request's state what it has given; see `Given`."""

MAX_BYTES = 32 * 1024 * 1024
"""What all answers may take."""

ANSWER_BYTES = 900
"""What an answer takes beside its query, its origin and what is sent."""

_OWN = frozenset({b"cache-control", b"x-request-id"})
"""Headers that differ from one answer to the next."""

Asked: TypeAlias = tuple[str, bytes, bytes | None]
"""A path, a query string and an origin."""

Headers: TypeAlias = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Given:
    """What a handler tells of an answer that may be sent again.

    `label` is what its time is counted under: the recipe, or that it was a page; `route` the template of its path.
    """

    label: str
    route: str
    outcomes: Sequence[Outcome]


@dataclass(slots=True, eq=False)
class Sent:
    """What was sent but for what differs each time, shared by `users` answers: whoever is told the same."""

    told: tuple[bytes, bytes | None]
    headers: Headers
    body: bytes
    users: int = 0

    @property
    def size(self) -> int:
        """Bytes."""
        return ANSWER_BYTES + len(self.body)


@dataclass(frozen=True, slots=True)
class Warm:
    """An answer that may be sent again while all that it rests on holds, `until` a time of the monotonic clock."""

    sent: Sent
    bases: tuple[Basis, ...]
    until: float
    tally: Tally
    line: Line | None

    def holds(self, now: float) -> bool:
        """Return whether it may be sent at a time of the monotonic clock."""
        if now >= self.until:
            return False
        for basis in self.bases:  # noqa: SIM110 -- a generator would cost as much as what it asks
            if not basis.holds():
                return False
        return True


class WarmAnswers:
    """The answers that were given last, bounded in bytes: the oldest go first, and come back with their next request.

    Args:
        tallies: count them when they are given again.
        access_log: has them logged, if it wants sound answers at all.
        browser_ttl: seconds that a browser may keep an answer at most.
        max_bytes: what all may take together.
    """

    def __init__(
        self, tallies: Tallies, access_log: AccessLog, *, browser_ttl: float, max_bytes: int = MAX_BYTES
    ) -> None:
        self.tallies = tallies
        self._access_log = access_log
        self._browser_ttl = browser_ttl
        self._max_bytes = max_bytes
        self._answers: dict[Asked, Warm] = {}
        self._sent: dict[tuple[bytes, bytes | None], Sent] = {}
        self._bytes = 0

    def find(self, asked: Asked, now: float) -> Warm | None:
        """Return an answer that still holds at a time of the monotonic clock."""
        warm = self._answers.get(asked)
        if warm is None or warm.holds(now):
            return warm
        self._drop(asked)
        return None

    def keep(self, asked: Asked, state: Mapping[str, Any], headers: Headers, body: bytes) -> None:
        """Remember what was sent, if a handler has left in a request's state what it rests on."""
        given: Given | None = state.get(GIVEN)
        if given is None:
            return
        bases = tuple(one.basis for one in given.outcomes if one.basis is not None)
        if len(bases) < len(given.outcomes) or not all(basis.holds() for basis in bases):
            return
        if asked in self._answers:
            self._drop(asked)
        sent = self._shared((dict(headers).get(b"etag", b""), asked[2]), headers, body)
        until = time.monotonic() + min(one.fresh_for for one in given.outcomes)
        tally = self.tallies.of(given.label, given.route, given.outcomes)
        self._answers[asked] = Warm(sent, bases, until, tally, self._line(given, state))
        self._bytes += _size(asked)
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._answers)))

    def forget(self) -> None:
        """Let go of all answers: people were forgotten, and nobody knows any more of whom these tell."""
        self._answers.clear()
        self._sent.clear()
        self._bytes = 0

    async def give(self, warm: Warm, send: Send, now: float) -> None:
        """Send an answer again: as old as it is by now, and with an id of its own."""
        age = b"private, max-age=%d" % min(self._browser_ttl, warm.until - now)
        request_id = os.urandom(16).hex()
        own = ((b"cache-control", age), (b"x-request-id", request_id.encode()))
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": [*warm.sent.headers, *own]})
        await send({"type": "http.response.body", "body": warm.sent.body})
        seconds = time.monotonic() - now
        self.tallies.count(warm.tally, seconds)
        if warm.line is not None:
            self._access_log.tell(warm.line, request_id, seconds)

    def _line(self, given: Given, state: Mapping[str, Any]) -> Line | None:
        """Return what will be logged of an answer, if anything may be."""
        if not self._access_log.looks_at_sound:
            return None
        return self._access_log.line("GET", given.route, HTTPStatus.OK, state.get(ANSWERED), None)

    def _shared(self, told: tuple[bytes, bytes | None], headers: Headers, body: bytes) -> Sent:
        """Return what is sent to all who are told the same, as its validator says."""
        sent = self._sent.get(told)
        if sent is None:
            sent = self._sent[told] = Sent(told, [one for one in headers if one[0] not in _OWN], body)
            self._bytes += sent.size
        sent.users += 1
        return sent

    def _drop(self, asked: Asked) -> None:
        sent = self._answers.pop(asked).sent
        self._bytes -= _size(asked)
        sent.users -= 1
        if not sent.users:
            del self._sent[sent.told]
            self._bytes -= sent.size


def _size(asked: Asked) -> int:
    return ANSWER_BYTES + len(asked[1]) + len(asked[2] or b"")
