"""A history to begin with: JSON Lines of Tracking calls, one a line, each with its `type`."""

import codecs
import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from personalize.sandbox.answers import Refused
from personalize.sandbox.bodies import bounded
from personalize.sandbox.journal import Journal
from personalize.sandbox.messages import CALL_BYTES, Typed, read

TOGETHER = 1000
"""Calls that are applied in one transaction: fewer cost more, and more gain nothing."""


class WrongLine(ValueError):
    """A line is no call that the Tracking API would take.

    Args:
        number: the line's, from 1.
        reason: what is wrong with it.
    """

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"line {number}: {reason}")


class _Line(Typed, frozen=True):
    """What of a call's members a history has to know."""

    message_id: str | None = msgspec.field(name="messageId", default=None)


class History:
    """Calls that happened before anybody asks. Their lines are kept, so that they can happen again after a reset.

    Args:
        lines: of JSON; blank ones are passed over.
        journal: what applies them.
    """

    def __init__(self, lines: Iterable[bytes], journal: Journal) -> None:
        self._unread = iter(lines)
        self._lines: list[bytes] = []
        self._journal = journal

    def replay(self) -> None:
        """Apply all calls in order; what the journal has seen before changes nothing.

        Raises:
            WrongLine: a line is not valid; what stood a good while before it is applied.
        """
        number = 0

        def calls() -> Iterator[tuple[str, bytes]]:
            nonlocal number
            for line in islice(remaining, TOGETHER):  # lazily, so that a refused call is the line that was read last
                number += 1
                if line.strip():
                    yield _call(line, number)

        remaining = self._all()
        try:
            reached = -1
            while reached < number:
                reached = number
                self._journal.write(calls())
        except Refused as refused:
            raise WrongLine(number, refused.message) from None

    def _all(self) -> Iterator[bytes]:
        yield from self._lines
        for line in self._unread:
            # Some editors begin a file by saying so that it is UTF-8.
            self._lines.append(line if self._lines else line.removeprefix(codecs.BOM_UTF8))
            yield self._lines[-1]


def _call(line: bytes, number: int) -> tuple[str, bytes]:
    """Return a line's call, with a message id, so that it is one call however often its file is replayed."""
    known = read(bounded(line, CALL_BYTES), _Line)
    if known.message_id:
        return known.type, line
    name = hashlib.blake2s(b"%d %b" % (number, line.strip()), digest_size=16).hexdigest()
    members = read(line, dict[str, msgspec.Raw])
    return known.type, msgspec.json.encode({**members, "messageId": f"line-{name}"})
