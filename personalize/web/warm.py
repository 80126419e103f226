"""Warm answers: what was sent, to be sent again while all that it rests on holds."""

import os
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import count
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from personalize.engine import Outcome
from personalize.ports import Basis
from personalize.web import responses
from personalize.web.access_log import AccessLog, Answered, Line
from personalize.web.middleware import harmless
from personalize.web.tallies import Tallies, Tally

GIVEN = "given"
"""Under which a handler leaves in a request's state what it has given; see `Given`."""

MAX_BYTES = 32 * 1024 * 1024
"""What all answers may take."""

ANSWER_BYTES = 900
"""What an answer takes beside its query, its origin and what is sent."""

_OWN = frozenset({b"cache-control", b"x-request-id"})
"""Headers that differ from one answer to the next."""

_OF_A_BODY = frozenset(one.encode("latin-1") for one in responses.OF_A_BODY)

Asked: TypeAlias = tuple[str, bytes, bytes | None]
"""A path, a query string, and the origin if its pages may read answers: all others are told the same."""

Headers: TypeAlias = list[tuple[bytes, bytes]]

_OK, _NOT_MODIFIED = HTTPStatus.OK.value, HTTPStatus.NOT_MODIFIED.value


class Given(Struct, frozen=True):
    """What a handler tells of an answer that may be sent again.

    `label` is what its time is counted under: the recipe, or that it was a page; `route` the template of its path.
    """

    label: str
    route: str
    outcomes: Sequence[Outcome]


class Head:
    """How an answer begins, but for what differs each time.

    Args:
        status: its status.
        headers: those that are the same each time.
    """

    __slots__ = ("_lines", "headers", "status")

    def __init__(self, status: int, headers: Headers) -> None:
        self.status = status
        self.headers = headers
        self._lines: bytes | None = None

    @property
    def lines(self) -> bytes:
        """The same as HTTP/1.1 writes it: made once, and sent often."""
        if self._lines is None:
            phrase = HTTPStatus(self.status).phrase.encode()
            self._lines = b"".join(
                [b"HTTP/1.1 %d %s\r\n" % (self.status, phrase), *[b"%s: %s\r\n" % one for one in self.headers]]
            )
        return self._lines


class Sent:
    """What was sent but for what differs each time, shared by `users` answers: whoever is told the same.

    Args:
        told: its validator and the origin.
        headers: those that are the same each time, and perhaps others.
        body: what was sent.
    """

    __slots__ = ("_known", "body", "head", "told", "users")

    def __init__(self, told: tuple[bytes, bytes | None], headers: Headers, body: bytes) -> None:
        self.told = told
        self.head = Head(_OK, [one for one in headers if one[0] not in _OWN])
        self.body = body
        self.users = 0
        self._known: Head | None = None

    @property
    def known(self) -> Head:
        """The head for whoever has it already."""
        if self._known is None:
            self._known = Head(_NOT_MODIFIED, [one for one in self.head.headers if one[0] not in _OF_A_BODY])
        return self._known

    @property
    def size(self) -> int:
        """Bytes."""
        return ANSWER_BYTES + len(self.body)

    def known_by(self, validators: bytes) -> bool:
        """Return whether these, of an `If-None-Match`, are of somebody who has it already."""
        etag = self.told[0]
        return validators == etag or responses.known_by(validators.decode("latin-1"), etag.decode("latin-1"))


class Reply(Struct, frozen=True):
    """An answer that is there already: its head, the headers that are its own, and its body."""

    head: Head
    own: Headers
    body: bytes


class Warm(Struct, frozen=True):
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
    """The answers that were given last, bounded in bytes: those go first that nobody has asked for the longest.

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
        self._answers: OrderedDict[Asked, Warm] = OrderedDict()
        self._sent: dict[tuple[bytes, bytes | None], Sent] = {}
        self._bytes = 0
        self._ages: dict[int, tuple[bytes, bytes]] = {}
        self._ids = _ids()

    def find(self, asked: Asked, now: float) -> Warm | None:
        """Return an answer that still holds at a time of the monotonic clock."""
        warm = self._answers.get(asked)
        if warm is None:
            return None
        if warm.holds(now):
            self._answers.move_to_end(asked)
            return warm
        self._drop(asked)
        return None

    def keep(self, asked: Asked, given: Given, answered: Answered | None, headers: Headers, body: bytes) -> Warm | None:
        """Remember what was sent, if it has a validator and all that it rests on holds."""
        bases = tuple(one.basis for one in given.outcomes if one.basis is not None)
        if len(bases) < len(given.outcomes) or not all(basis.holds() for basis in bases):
            return None
        etag = dict(headers).get(b"etag")
        if etag is None:
            return None
        if asked in self._answers:
            self._drop(asked)
        sent = self._shared((etag, asked[2]), headers, body)
        tally = self.tallies.of(given.label, given.route, given.outcomes)
        warm = self._answers[asked] = Warm(sent, bases, _until(given), tally, self._line(given, answered))
        self._bytes += _size(asked)
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._answers)))
        return warm

    def first(self, asked: Asked, given: Given, answered: Answered, headers: Headers, body: bytes) -> Warm:
        """Return an answer as it is given for the first time: what was looked up for it is in the metrics already."""
        kept = self.keep(asked, given, answered, headers, body)
        sent = kept.sent if kept else Sent((dict(headers)[b"etag"], asked[2]), headers, body)
        tally = self.tallies.of(given.label, given.route, given.outcomes, looked_up=True)
        return Warm(sent, (), _until(given), tally, self._line(given, answered))

    def forget(self) -> None:
        """Let go of all answers: people were forgotten, and nobody knows any more of whom these tell."""
        self._answers.clear()
        self._sent.clear()
        self._bytes = 0

    def give(self, warm: Warm, told: Mapping[bytes, bytes], now: float) -> Reply:
        """Return an answer again, for whoever told these headers: as old as it is by now, and with an id of its own.

        Whoever has it already is told just that.
        """
        sent, request_id = warm.sent, self._request_id(told.get(b"x-request-id"))
        given_at = time.monotonic()
        age = self._age(int(max(0.0, min(self._browser_ttl, warm.until - given_at))))
        own = [age, (b"x-request-id", request_id)]
        validators = told.get(b"if-none-match")
        known = validators is not None and sent.known_by(validators)
        reply = Reply(sent.known, own, b"") if known else Reply(sent.head, own, sent.body)
        seconds = given_at - now
        self.tallies.count(warm.tally, seconds, known=known)
        if warm.line is not None:
            self._access_log.tell(replace(warm.line, status=reply.head.status), request_id.decode(), seconds)
        return reply

    def _request_id(self, theirs: bytes | None) -> bytes:
        """Return the caller's own id if it is harmless, else a new one."""
        if theirs is not None and harmless(theirs.decode("latin-1")):
            return theirs
        return next(self._ids)

    def _age(self, seconds: int) -> tuple[bytes, bytes]:
        """Return how long an answer may be kept, as a header; there are as many as a browser may keep seconds."""
        header = self._ages.get(seconds)
        if header is None:
            header = self._ages[seconds] = (b"cache-control", b"private, max-age=%d" % seconds)
        return header

    def _line(self, given: Given, answered: Answered | None) -> Line | None:
        """Return what will be logged of an answer, if anything may be."""
        if not self._access_log.looks_at_sound and all(one.provenance == "fresh" for one in given.outcomes):
            return None
        return self._access_log.line("GET", given.route, HTTPStatus.OK, answered, None)

    def _shared(self, told: tuple[bytes, bytes | None], headers: Headers, body: bytes) -> Sent:
        """Return what is sent to all who are told the same, as its validator says."""
        sent = self._sent.get(told)
        if sent is None:
            sent = self._sent[told] = Sent(told, headers, body)
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


def _until(given: Given) -> float:
    """Return until when an answer is fresh, of the monotonic clock."""
    return time.monotonic() + min(one.fresh_for for one in given.outcomes)


def _size(asked: Asked) -> int:
    return ANSWER_BYTES + len(asked[1]) + len(asked[2] or b"")


def _ids() -> Iterator[bytes]:
    """Yield ids that no other process yields: one draw for all of them, for each draw is a call of the system."""
    drawn = os.urandom(12).hex().encode()
    for number in count():
        yield b"%s%08x" % (drawn, number)
