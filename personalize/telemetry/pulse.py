"""The pulse: how late the event loop is, and what only a look can tell, taken down every second."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from personalize.telemetry import logs, refusals
from personalize.telemetry.metrics import Metrics

PULSE_SECONDS = 0.5
"""Often enough that what is shown is no older than a second."""


class Pulse:
    """Watches the loop that it is opened in.

    Args:
        metrics: where what it sees is written down.
        version: of the service.
        wait: waits for some seconds.
    """

    def __init__(
        self, metrics: Metrics, *, version: str, wait: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._metrics = metrics
        self._version = version
        self._wait = wait

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Watch while the body runs; from now on the gauges are of the application that is opened with it."""
        self._metrics.workers.set(1)
        self._metrics.build.labels(self._version).set(1)
        loop = asyncio.get_running_loop()
        self._metrics.watch(self._metrics.tasks, lambda: len(asyncio.all_tasks(loop)))
        self._metrics.show()
        task = asyncio.create_task(self._run(), name="pulse")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            logs.summarise()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PULSE_SECONDS
            await self._wait(PULSE_SECONDS)
            self._metrics.loop_lag.observe(max(0.0, loop.time() - due))
            self._metrics.sample()
            self._count_refusals()
            logs.summarise()

    def _count_refusals(self) -> None:
        for status, times in refusals.taken().items():
            self._metrics.http_responses.labels("other", status).inc(times)
