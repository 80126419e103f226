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
class Batch:
    """Calls that are sent together, in order."""

    calls: list[Call] = field(default_factory=list)
    size: int = AROUND_BYTES

    def takes(self, call: Call) -> bool:
        """Return whether there is room for one more."""
        return len(self.calls) < BATCH_CALLS and self.size + len(call.body) + 1 <= BATCH_BYTES

    def add(self, call: Call) -> None:
        """Add one."""
        self.calls.append(call)
        self.size += len(call.body) + 1

    def taken(self) -> list[Call]:
        """Return the calls, and begin anew."""
        calls, self.calls, self.size = self.calls, [], AROUND_BYTES
        return calls
