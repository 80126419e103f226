"""Calls in batches, as large as the Tracking API takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from personalize.destination.actions import Body
from personalize.destination.state import Mark
from personalize.destination.values import Json
from personalize.errors import RowRefused

CALL_BYTES = 32 * 1024
BATCH_BYTES = 500_000
"""Of the JSON, before it is compressed; some stay free for what is around the calls."""

BATCH_CALLS = 2500
AROUND_BYTES = 200


def encoded(body: Body) -> bytes:
    """Return a call as JSON.

    Raises:
        RowRefused: it is larger than the Tracking API takes.
    """
    told = msgspec.json.encode(body)
    if len(told) > CALL_BYTES:
        raise RowRefused(f"the call has {len(told):,} bytes; the Tracking API takes {CALL_BYTES:,} at most.")
    return told


@dataclass(slots=True)
class Call:
    """A call as it is sent, the mark that it leaves, and the row that it is of."""

    body: bytes
    mark: Mark
    mapping: str
    row: Mapping[str, Json]


@dataclass(slots=True)
class Room:
    """What one batch may still hold."""

    calls: int = BATCH_CALLS
    size: int = BATCH_BYTES - AROUND_BYTES

    def takes(self, body: bytes) -> bool:
        """Take a call's room, if there is as much."""
        if not self.calls or len(body) + 1 > self.size:
            return False
        self.calls -= 1
        self.size -= len(body) + 1
        return True


@dataclass(slots=True)
class Batch:
    """Calls that are sent together, in order."""

    calls: list[Call] = field(default_factory=list)
    room: Room = field(default_factory=Room)

    def add(self, call: Call) -> bool:
        """Add one, if there is room for it."""
        fits = self.room.takes(call.body)
        if fits:
            self.calls.append(call)
        return fits

    def taken(self) -> list[Call]:
        """Return the calls, and begin anew."""
        calls, self.calls, self.room = self.calls, [], Room()
        return calls
