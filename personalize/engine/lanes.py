"""Lanes: the threads that recipes run in, a few for each, so that a slow recipe holds up nobody but itself."""

import asyncio
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


class Lane(Generic[T]):
    """The threads of one recipe, made when they are first needed.

    A thread that is past its caller's deadline cannot be ended. While a lane has such a thread its recipe is refused at
    once: more of the same would only make more pages wait. The threads are daemons, for neither may a recipe that never
    returns keep the process from ending.

    Args:
        name: the recipe's.
        work: what a thread does with a call's arguments.
    """

    def __init__(self, name: str, work: Callable[[Any], T]) -> None:
        self._name = name
        self._work = work
        self._calls: SimpleQueue[tuple[Any, Future[T]] | None] = SimpleQueue()
        self._threads = 0
        self._under_way = 0
        self._late: set[Future[T]] = set()

    async def run(self, arguments: object, until: float) -> T:
        """Return what the work returns, by a time of the event loop's clock.

        Raises:
            RecipeFailed: `overran` that time, or an earlier call did and is not back yet; else what the work raises.
        """
        if self._late:
            raise RecipeFailed("overran")
        future = self._started(arguments)
        answer = asyncio.wrap_future(future)
        try:
            await self._done(future, answer, until)
        finally:
            answer.cancel()  # nothing to one that is there; one that had not even begun is not run any more
        if future.cancelled() or not future.done():
            if not future.done():
                self._late.add(future)
            raise RecipeFailed("overran")
        return future.result()

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
