"""Load now and then in the background, answer from memory: a source that is slow or away never holds up a page."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sized
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar

from personalize.errors import ProviderFailed
from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics

T = TypeVar("T", bound=Sized)
Sized_co = TypeVar("Sized_co", bound=Sized, covariant=True)

JITTER = 0.1
"""Share by which a wait varies, up and down, so that replicas that started together do not ask together."""


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Sized_co]):
    """What one load gave.

    `problems` say why parts of it are those of an earlier load; `left_out` counts what the sources have besides.
    """

    items: Sized_co
    problems: tuple[str, ...] = ()
    left_out: int = 0


@dataclass(eq=False)
class Polled(Generic[T]):
    """An item provider that polls `load` while it is entered and keeps the last good items when that fails.

    Args:
        name: what recipes ask for, and the metrics' label.
        load: one attempt, which bounds its own time; returns the same object while the items are the same, and
            raises `ProviderFailed` when there is nothing to be had.
        empty: the items until the first load has succeeded.
        metrics: where loads and failures are counted.
        interval: seconds from the end of one load to the start of the next.
        retry_wait: seconds to wait after a first failure, doubled with each further one up to `interval`.
        first_wait: seconds that entering waits at most for the first attempt, so that the service is warm when it
            opens its port, and opens it in time when the source hangs.
        random: where jitter comes from, in [0, 1).
        clock: the time of a load, in seconds since the epoch.
        sleep: how the time between two loads passes.
    """

    name: str
    load: Callable[[], Awaitable[Loaded[T]]]
    empty: T
    metrics: Metrics
    interval: float = 60.0
    retry_wait: float = 5.0
    first_wait: float = 1.0
    random: Callable[[], float] = random.random
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    version: int = field(default=0, init=False)
    """Grows by one whenever other items replace the present ones."""

    def __post_init__(self) -> None:
        self._items = self.empty
        self._task: asyncio.Task[None] | None = None
        self._attempted = asyncio.Event()
        self._loaded_at: float | None = None
        self._counted = self._left_out = 0

    def items(self) -> T:
        """Return the items of the last good load."""
        return self._items

    @property
    def state(self) -> str:
        """What there is, and how old that is."""
        if self._loaded_at is None:
            return "not loaded yet"
        return f"{len(self._items)} items, loaded {max(0.0, self.clock() - self._loaded_at):.0f} s ago"

    async def __aenter__(self) -> Self:
        self.begin()
        try:
            await self.attempted()
        except asyncio.CancelledError:  # a start that is broken off is never exited
            await self.__aexit__()
            raise
        return self

    def begin(self) -> None:
        """Begin to load; entering does so, and several that are begun first load at once. Exiting ends it."""
        self._show()
        self._attempted = asyncio.Event()
        self._task = asyncio.create_task(self._poll(), name=f"provider {self.name}")

    async def attempted(self) -> None:
        """Wait for the first attempt, no longer than entering does."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.first_wait):
                await self._attempted.wait()

    def _show(self) -> None:
        metrics = self.metrics
        metrics.provider_failures.labels(self.name)  # from 0, so that a first failure is an increase
        metrics.watch(metrics.provider_items.labels(self.name), lambda: self._counted)
        metrics.watch(metrics.provider_left_out.labels(self.name), lambda: self._left_out)
        # 0 is an age that any alert notices.
        metrics.watch(metrics.provider_loaded.labels(self.name), lambda: self._loaded_at or 0.0)

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await _stop(self._task)

    async def _poll(self) -> None:
        retry = self.retry_wait
        while True:
            if await self._attempt():
                wait, retry = self.interval, self.retry_wait
            else:
                wait = min(retry, self.interval)
                retry = 2 * wait
            self._attempted.set()
            await self.sleep(wait * (1 - JITTER + 2 * JITTER * self.random()))

    async def _attempt(self) -> bool:
        try:
            loaded = await self.load()
        except ProviderFailed as failure:
            self._failed(str(failure))
        except Exception as defect:  # noqa: BLE001  whatever a parser trips over in a document, polling goes on
            self._failed(f"unexpected {type(defect).__name__}")  # a message could quote the document
        else:
            self._loaded(loaded)
            return not loaded.problems
        return False

    def _loaded(self, loaded: Loaded[T]) -> None:
        if loaded.items is not self._items:
            self._items = loaded.items
            self.version += 1
            logs.provider_loaded(self.name, len(loaded.items), loaded.left_out)
        self._counted, self._left_out = len(loaded.items), loaded.left_out
        if loaded.problems:
            self._failed(*loaded.problems)
        else:
            self._loaded_at = self.clock()

    def _failed(self, *reasons: str) -> None:
        for reason in reasons:
            logs.provider_failed(self.name, reason)
        self.metrics.provider_failures.labels(self.name).inc()


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])  # unlike awaiting the task itself, tells its cancellation from our own
