"""Lanes: the threads that recipes run in, a few for each, so that a slow recipe holds up nobody but itself."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

from personalize.errors import RecipeFailed

T = TypeVar("T")

THREADS = 2
"""Threads of one recipe: Python runs one at a time, and the second is for while the first one waits or is slow."""

BUSY_SECONDS = 0.01
"""When a timer of the loop is that late, there is more to do than the machine can."""

FAIR_SECONDS = 0.25
WAITING_SECONDS = 1.0
"""What a call is then given beyond its time: one that has begun, and one that still waits for a thread."""

AMPLE_SECONDS = 0.25
"""Who had so much and was late is slow by itself: a recipe is not blamed for a caller who waits for less."""

OVERRUNS = 3
OFF_SECONDS = 5.0
"""After so many calls in a row that were late with ample time, a recipe is not called for so long; the next call after
that is a trial. A recipe that always is too slow would cost page after page all of its time."""


class Lane(Generic[T]):
    """The threads of one recipe, made when they are first needed.

    A thread that is past its caller's deadline cannot be ended. While a lane has such a thread its recipe is refused at
    once: more of the same would only make more pages wait. One that keeps overrunning is off for a while. The threads
    are daemons, for neither may a recipe that never returns keep the process from ending.

    Args:
        name: the recipe's.
        work: what a thread does with a call's arguments.
        clock: seconds that only go forward.
    """

    def __init__(self, name: str, work: Callable[[Any], T], clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._work = work
        self._clock = clock
        self._overruns = 0
        self._off_until = float("-inf")
        self._calls: SimpleQueue[tuple[Any, Future[T]] | None] = SimpleQueue()
        self._threads = 0
        self._under_way = 0
        self._late: set[Future[T]] = set()

    async def run(self, arguments: object, until: float) -> T:
        """Return what the work returns, by a time of the event loop's clock.

        Raises:
            RecipeFailed: `overran` that time, or earlier calls did, one that is not back yet or several in a row; else
                what the work raises.
        """
        if self._late or self._clock() < self._off_until:
            raise RecipeFailed("overran")
        ample = until - asyncio.get_running_loop().time() >= AMPLE_SECONDS
        future = self._started(arguments)
        answer = asyncio.wrap_future(future)
        try:
            await self._done(future, answer, until)
        finally:
            answer.cancel()  # nothing to one that is there; one that had not even begun is not run any more
        if future.cancelled() or not future.done():
            if not future.done():
                self._is_late(future, ample=ample)
            raise RecipeFailed("overran")
        self._overruns = 0
        return future.result()

    def _is_late(self, future: "Future[T]", *, ample: bool) -> None:
        self._late.add(future)
        self._overruns += ample
        if self._overruns >= OVERRUNS:
            self._off_until = self._clock() + OFF_SECONDS

    async def _done(self, future: "Future[T]", answer: "asyncio.Future[T]", until: float) -> None:
        """Wait for an answer until a time, and for a while longer if we are too busy to have given the call its turn.

        Where there is more to do than the machine can, a late answer is better than none; most of all to a call that
        has not even begun, whose recipe cannot be what is slow as long as the calls before it are in time.
        """
        loop = asyncio.get_running_loop()
        await asyncio.wait([answer], timeout=max(0.0, until - loop.time()))
        waits = not future.running() and not self._late
        if not answer.done() and (waits or loop.time() - until > BUSY_SECONDS):
            await asyncio.wait([answer], timeout=WAITING_SECONDS if waits else FAIR_SECONDS)
        if answer.done() and not answer.cancelled():
            answer.exception()  # told by the future behind it

    def close(self) -> None:
        """End the threads that wait for a call; one that never returns from its call ends with the process."""
        for _ in range(self._threads):
            self._calls.put(None)

    def _started(self, arguments: object) -> "Future[T]":
        future: Future[T] = Future()
        future.add_done_callback(partial(self._tell, asyncio.get_running_loop()))
        self._under_way += 1
        self._calls.put((arguments, future))
        if self._threads < min(THREADS, self._under_way):
            self._threads += 1
            Thread(target=self._serve, name=f"recipe {self._name}", daemon=True).start()
        return future

    def _tell(self, loop: asyncio.AbstractEventLoop, future: "Future[T]") -> None:
        """Tell the loop's thread that a call has ended, if the loop is still there."""
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._ended, future)

    def _ended(self, future: "Future[T]") -> None:
        self._under_way -= 1
        self._late.discard(future)

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            arguments, future = call
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(self._work(arguments))
            except BaseException as error:  # noqa: BLE001 -- whatever ends the work, its caller waits to hear of it
                future.set_exception(error)
