"""A history to begin with: JSON Lines of Tracking calls, one a line, each with its `type`."""

from collections.abc import Iterable, Iterator
from itertools import islice

from personalize.sandbox.answers import Refused
from personalize.sandbox.journal import Journal
from personalize.sandbox.messages import CALL_BYTES, Typed, bounded, read

TOGETHER = 1000
"""Calls that are applied in one transaction: fewer cost more, and more gain nothing."""


class WrongLine(ValueError):
    """A line is no call that the Tracking API would take.

    Args:
        number: the line's, from 1.
        reason: what the Tracking API would have answered.
    """

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"line {number}: {reason}")


def replay(lines: Iterable[bytes], journal: Journal) -> None:
    """Apply the calls of a file's lines in order; blank ones are passed over.

    Raises:
        WrongLine: a line is not valid; what stood a good while before it is applied.
    """
    number = 0

    def calls() -> Iterator[tuple[str, bytes]]:
        nonlocal number
        for line in islice(remaining, TOGETHER):  # lazily, so that a refused call is the line that was read last
            number += 1
            if line.strip():
                yield read(line, Typed).type, bounded(line, CALL_BYTES)

    remaining = iter(lines)
    try:
        reached = -1
        while reached < number:
            reached = number
            journal.write(calls())
    except Refused as refused:
        raise WrongLine(number, refused.message) from None
