"""Exposures: Track calls that say what somebody was recommended, so that marketers can measure it.

They are made by the same action as those of rows. Only of whom Segment knows is told, and a user id only where it was
proven: else anybody could write into anybody's profile.
"""

import asyncio
import threading
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import httpx
import msgspec

from personalize.destination.actions import ACTIONS, SPACE
from personalize.destination.batches import Room, encoded
from personalize.destination.tracking import BatchRefused, Pace, TrackingApi
from personalize.destination.values import Json
from personalize.engine import Outcome
from personalize.errors import RowRefused, SyncError
from personalize.model import Visitor
from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics

EVENT = "Recommendations Served"
NAMES = ("product_id", "url", "id", "name")
"""Members that say which item one is, the surest first."""

MAX_ITEMS = 20
MAX_WAITING = 10_000
"""Exposures that wait to be sent; beyond that they are dropped, and counted."""

EVERY_SECONDS = 1.0
TRIES = 3
SECONDS = 3.0
"""What one answer of the Tracking API may take: nobody waits for it, but the service's end does."""

CLOSE_SECONDS = 1.0
"""What those that wait are given when the service stops."""

Send = Callable[[list[bytes]], None]
"""Sends the calls of a batch; may raise SyncError or BatchRefused."""


class Exposures:
    """Sends exposures from a task of its own.

    Args:
        send: sends a batch, from a thread.
        metrics: counts what became of each.
        stop: lets a running `send` try no more.
        close: gives back what `send` holds, once none is running.
        now: the time, in UTC.
        wait: waits for some seconds.
    """

    def __init__(
        self,
        send: Send,
        metrics: Metrics,
        *,
        stop: Callable[[], None] = lambda: None,
        close: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._send = send
        self._metrics = metrics
        self._stop = stop
        self._close = close
        self._now = now
        self._wait = wait
        self._waiting: deque[bytes] = deque()
        self._sending: set[asyncio.Task[None]] = set()

    def tell(self, visitor: Visitor, outcomes: Sequence[Outcome]) -> None:
        """Take the items that somebody was given, where they were chosen for them."""
        for outcome in outcomes:
            items = list(_items(outcome)) if outcome.personalized and outcome.error is None else []
            if not items:
                continue
            call = self._call(visitor, outcome, items)
            if call is None or len(self._waiting) >= MAX_WAITING:
                self._metrics.exposures.labels("untold" if call is None else "dropped").inc()
            else:
                self._waiting.append(call)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Send while the body runs, and for a moment longer."""
        task = asyncio.create_task(self._run(), name="exposures")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            with suppress(TimeoutError):
                await asyncio.wait_for(self.flush(), CLOSE_SECONDS)
            self._stop()
            if self._sending:
                await asyncio.wait(self._sending)
            self._close()

    async def flush(self) -> None:
        """Send what waits."""
        while self._waiting:
            calls, room = list[bytes](), Room()
            while self._waiting and room.takes(self._waiting[0]):
                calls.append(self._waiting.popleft())
            task = asyncio.create_task(self._deliver(calls), name="exposures sent")
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
            await asyncio.shield(task)  # a thread goes on, whoever waits for it

    async def _deliver(self, calls: list[bytes]) -> None:
        try:
            await asyncio.to_thread(self._send, calls)
        except (SyncError, BatchRefused) as error:
            self._metrics.exposures.labels("failed").inc(len(calls))
            logs.exposures_lost(str(error))
        else:
            self._metrics.exposures.labels("sent").inc(len(calls))

    async def _run(self) -> None:
        while True:
            await self._wait(EVERY_SECONDS)
            await self.flush()

    def _call(self, visitor: Visitor, outcome: Outcome, items: Sequence[Json]) -> bytes | None:
        whose = outcome.external_id
        told = {whose.type: whose.value} if whose and (visitor.proven or whose.type != "user_id") else {}
        payload: dict[str, Json] = {
            SPACE.name: "-",  # the sender has it
            # The id that was answered, and that alone: nobody has shown that another is the same person's.
            "user_id": told.get("user_id"),
            "anonymous_id": told.get("anonymous_id"),
            "event_name": EVENT,
            "timestamp": self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "message_id": f"personalize-{uuid.uuid4()}",
            "properties": {"recipe": outcome.recipe, "items": items, "outcome": outcome.provenance},
        }
        try:
            return encoded(ACTIONS["track"].call(payload))
        except RowRefused:  # nobody who may be named, or items whose names have no end
            return None


def _items(outcome: Outcome) -> Iterator[str]:
    """Yield what tells the items of an answer apart, where it is a list of such."""
    data = msgspec.json.decode(outcome.data) if outcome.data is not None else None
    for item in data[:MAX_ITEMS] if isinstance(data, list) else []:
        if isinstance(item, Mapping) and (named := next((item[name] for name in NAMES if item.get(name)), None)):
            yield str(named)


def exposures_to(url: str, write_key: str, metrics: Metrics) -> Exposures:
    """Return what sends exposures to a Tracking API.

    Args:
        url: with `/v1`.
        write_key: of the Profile space's source.
        metrics: counts what became of each.
    """
    client, stopping = httpx.Client(), threading.Event()

    def pause(seconds: float) -> None:
        if stopping.wait(seconds):
            raise SyncError("The service stops.")

    api = TrackingApi(url, client, rate=0, pace=Pace(sleep=pause), tries=TRIES, seconds=SECONDS)
    return Exposures(lambda calls: api.send(write_key, calls), metrics, stop=stopping.set, close=client.close)
