"""An event loop whose clock jumps: what takes minutes on the clock takes no time in a test, and happens in order."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

START = 1000.0
"""What the clock of such a loop says at first."""


class JumpingLoop(asyncio.SelectorEventLoop):
    """While anybody has something to do its clock stands still; then it jumps to the next timer."""

    def __init__(self) -> None:
        self.now = START
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits for somebody else"
            self._loop.now += timeout
        return ready


def run(test: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop of its own whose clock jumps."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(test)


def now() -> float:
    """Return the time of the running loop."""
    return asyncio.get_running_loop().time()
