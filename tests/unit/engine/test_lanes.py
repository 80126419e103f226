"""Lanes: a recipe that is slow holds up nobody but itself, not even the end of the process."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from personalize.engine.lanes import AMPLE_SECONDS, OFF_SECONDS, OVERRUNS, THREADS, Lane
from personalize.errors import RecipeFailed
from tests.processes import wait_until


def soon(seconds: float = 5.0) -> float:
    """Return a time of the running loop's clock."""
    return asyncio.get_running_loop().time() + seconds


async def reason_of(lane: Lane[Any], seconds: float) -> str:
    with pytest.raises(RecipeFailed) as failed:
        await lane.run(None, soon(seconds))
    return failed.value.reason


async def settled(condition: Callable[[], bool]) -> None:
    """Let the loop hear what threads have told it."""
    await asyncio.to_thread(wait_until, condition, "the threads", 5.0)


async def test_what_the_work_returns_is_returned() -> None:
    """And what it raises is raised."""

    def halved(number: int) -> int:
        if number % 2:
            raise RecipeFailed("raised")
        return number // 2

    lane = Lane("halved", halved)
    assert await lane.run(8, soon()) == 4
    with pytest.raises(RecipeFailed):
        await lane.run(7, soon())
    lane.close()


async def test_a_recipe_has_a_few_threads_of_its_own() -> None:
    """However many pages ask, and they are gone when the lane is closed."""
    seen: set[threading.Thread] = set()
    lane: Lane[None] = Lane("counted", lambda _: seen.add(threading.current_thread()))
    await asyncio.gather(*(lane.run(None, soon()) for _ in range(50)))
    assert 1 <= len(seen) <= THREADS
    assert all(thread.daemon for thread in seen)
    lane.close()
    await settled(lambda: not any(thread.is_alive() for thread in seen))


async def test_while_a_call_is_late_more_are_refused_at_once() -> None:
    """They would only wait as well; when it has returned, the recipe is asked again."""
    release, begun = threading.Event(), []

    def stuck(_: object) -> str:
        begun.append(1)
        release.wait()
        return "at last"

    lane = Lane("stuck", stuck)
    assert await reason_of(lane, 0.05) == "overran"
    assert await reason_of(lane, 3600.0) == "overran"  # at once, or the test's own limit ends it
    assert begun == [1]
    release.set()
    while True:  # bounded by the test's own limit: the thread has to tell the loop
        try:
            assert await lane.run(None, soon()) == "at last"
            break
        except RecipeFailed:
            await asyncio.sleep(0)
    lane.close()


class Slow:
    """Work that never ends by itself; what was begun is let go again after its call was late."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.quick = False
        self._gate = threading.Semaphore(0)

    def __call__(self, _: object) -> str:
        self.begun += 1
        if not self.quick:
            self._gate.acquire()
        self.ended += 1
        return "done"

    async def overruns(self, lane: Lane[str], times: int, seconds: float) -> None:
        """Let calls be late, one after the other; one that is refused at once, or never began, is none."""
        last = self.begun + times
        while self.begun < last:
            before = self.begun
            assert await reason_of(lane, seconds) == "overran"
            for _ in range(self.begun - before):
                self._gate.release()
            await settled(lambda: self.ended == self.begun)
            await asyncio.sleep(0)


async def test_a_recipe_that_keeps_overrunning_is_off_for_a_while() -> None:
    """Though each call has come back: pages would wait for it in vain, one after the other. Then it is tried again."""
    now, work = [0.0], Slow()
    lane = Lane("slow", work, clock=lambda: now[0])
    await work.overruns(lane, OVERRUNS, AMPLE_SECONDS * 1.2)
    for now[0] in (0.0, OFF_SECONDS - 0.1):
        assert await reason_of(lane, 3600.0) == "overran"
    assert work.begun == OVERRUNS
    now[0] = OFF_SECONDS
    await work.overruns(lane, 1, AMPLE_SECONDS * 1.2)
    now[0] += OFF_SECONDS - 0.1
    assert await reason_of(lane, 3600.0) == "overran"
    work.quick, now[0] = True, now[0] + 0.2
    assert await lane.run(None, soon()) == "done"
    work.quick = False
    await work.overruns(lane, OVERRUNS - 1, AMPLE_SECONDS * 1.2)
    work.quick = True
    assert await lane.run(None, soon()) == "done"
    lane.close()


async def test_a_recipe_is_not_blamed_for_those_who_do_not_wait() -> None:
    """Else whoever says that he waits for next to nothing could switch it off for all."""
    work = Slow()
    lane = Lane("hurried", work, clock=lambda: 0.0)
    await work.overruns(lane, OVERRUNS + 1, AMPLE_SECONDS / 5)
    work.quick = True
    assert await lane.run(None, soon()) == "done"
    lane.close()


async def test_a_call_that_never_began_is_not_run_later() -> None:
    """Its page is gone; the threads were with earlier calls."""
    release, begun = threading.Event(), []

    def stuck(_: object) -> None:
        begun.append(1)
        release.wait()

    lane = Lane("stuck", stuck)
    reasons = await asyncio.gather(*(reason_of(lane, 0.1) for _ in range(THREADS + 3)))
    assert set(reasons) == {"overran"}
    release.set()
    lane.close()
    await settled(lambda: not [one for one in threading.enumerate() if one.name == "recipe stuck"])
    assert len(begun) == THREADS


async def test_to_wait_in_line_is_no_overrun() -> None:
    """The threads are with calls that are in time: whoever waits for one of them has a turn after that."""
    release = threading.Event()

    def slow(name: str) -> str:
        release.wait()
        return name

    lane = Lane("slow", slow)
    first = [asyncio.create_task(lane.run(f"call {number}", soon())) for number in range(THREADS)]
    await asyncio.sleep(0)
    waiting = asyncio.create_task(lane.run("the next", soon(0.01)))
    await asyncio.sleep(0.05)
    release.set()
    assert await waiting == "the next"
    assert await asyncio.gather(*first) == ["call 0", "call 1"]
    lane.close()


async def test_a_late_answer_to_a_closed_loop_is_no_error() -> None:
    """A service that has stopped may still have a thread that comes back."""
    release = threading.Event()
    lane: Lane[bool] = Lane("late", lambda _: release.wait())

    def one_loop() -> None:
        async def ask() -> str:
            return await reason_of(lane, 0.05)

        assert asyncio.run(ask()) == "overran"

    await asyncio.to_thread(one_loop)
    release.set()
    lane.close()
    await settled(lambda: not [one for one in threading.enumerate() if one.name == "recipe late"])


async def test_a_call_that_was_in_time_is_heard_however_late_the_loop_is() -> None:
    """The loop was busy with others when the thread was done."""
    lane: Lane[str] = Lane("quick", lambda _: "done")
    answer = asyncio.create_task(lane.run(None, soon(0.02)))
    await asyncio.sleep(0)
    blocked = threading.Event()
    blocked.wait(0.1)  # blocks the loop itself, past the call's time
    assert await answer == "done"
    lane.close()


async def test_a_page_that_gives_up_is_let_go() -> None:
    """Its call may go on; nobody is told of an error."""
    release = threading.Event()
    lane: Lane[bool] = Lane("given up", lambda _: release.wait())
    page = asyncio.create_task(lane.run(None, soon()))
    await asyncio.sleep(0)
    page.cancel()
    await asyncio.wait([page])
    assert page.cancelled()
    release.set()
    lane.close()
    await settled(lambda: not [one for one in threading.enumerate() if one.name == "recipe given up"])
