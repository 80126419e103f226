"""The inbox: what is said to have changed, taken at once and worked off in the order in which it came."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal, TypeAlias

from personalize.cache.amendment import Amendment, Outcome
from personalize.model import Collection, ExternalId
from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics

MAX_WAITING_BYTES = 4 * 1024 * 1024
"""What calls may wait. A call that finds no room is refused whole, with a word to come again: senders try again for
hours, so that nothing is lost, and what is worked off slowly, as while Redis is away, does not pile up here."""

WAITS = (0.2, 0.5, 1.0, 2.0)
"""Seconds before each further try of what the shared tier did not take; after the last one the ages of what is cached
put it right."""

CLOSE_SECONDS = 0.5
"""What waiting calls are given when the service stops."""

Kind: TypeAlias = Literal["trait", "audience", "delete", "other"]
"""What a message is about; `other` is nothing of ours."""

Amend: TypeAlias = Callable[[Collection, Iterable[ExternalId], Amendment], Awaitable[Outcome | None]]


@dataclass(frozen=True, slots=True)
class Notice:
    """What has changed of a person who has these ids."""

    kind: Kind
    external_ids: tuple[ExternalId, ...]
    amendment: Amendment


@dataclass(frozen=True, slots=True)
class _Call:
    notices: Sequence[Notice]
    size: int


class Inbox:
    """Works notices off in a held task.

    Args:
        amend: amends what is known of a person; `None` says to try again.
        metrics: counts what became of each notice.
        wait: waits for some seconds before another try.
    """

    def __init__(
        self, amend: Amend, *, metrics: Metrics, wait: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._amend = amend
        self._metrics = metrics
        self._wait = wait
        self._calls: asyncio.Queue[_Call] = asyncio.Queue()
        self._waiting = 0

    def put(self, notices: Sequence[Notice], size: int) -> bool:
        """Take the notices of a call of so many bytes; return whether there was room for all of them."""
        if self._waiting + size > MAX_WAITING_BYTES:
            return False
        self._waiting += size
        self._metrics.webhook_waiting.inc(len(notices))
        self._calls.put_nowait(_Call(notices, size))
        return True

    async def settled(self) -> None:
        """Wait until all that was taken is worked off."""
        await self._calls.join()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Work while the body runs, and for a moment longer."""
        working = asyncio.create_task(self._run(), name="inbox")
        try:
            yield
            with suppress(TimeoutError):
                await asyncio.wait_for(self.settled(), CLOSE_SECONDS)
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            call = await self._calls.get()
            work = asyncio.create_task(self._work(call), name="inbox call")
            try:
                await asyncio.wait([work])
            finally:
                work.cancel()
            self._waiting -= call.size
            self._metrics.webhook_waiting.dec(len(call.notices))
            self._calls.task_done()
            if (error := work.exception()) is not None:
                logs.webhook_broke(error)

    async def _work(self, call: _Call) -> None:
        for notice in call.notices:
            outcome = await self._tried(notice)
            self._metrics.webhook_messages.labels(notice.kind, outcome or "failed").inc()
            if outcome is None:
                logs.webhook_change_lost()

    async def _tried(self, notice: Notice) -> Outcome | None:
        outcome = await self._amend("users", notice.external_ids, notice.amendment)
        for seconds in WAITS:
            if outcome is not None:
                break
            await self._wait(seconds)
            outcome = await self._amend("users", notice.external_ids, notice.amendment)
        return outcome
