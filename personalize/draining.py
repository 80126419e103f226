"""Leaving without a broken request: the service says that it goes, and is still there for a while."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from signal import SIGTERM
from socket import socket
from threading import Event
from types import FrameType

import uvicorn


class QuietServer(uvicorn.Server):
    """A server whose process ends with status 0 when it is told to stop, as supervisors and `make` expect.

    uvicorn would raise the signal again once it has drained, and so end with 143 or a traceback.

    Args:
        config: what is served.
        leave: called when it stops, before it waits for the requests that are under way.
    """

    def __init__(self, config: uvicorn.Config, leave: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._leave = leave

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Stop."""
        if self._leave is not None:
            self._leave()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals as uvicorn does, then forget them."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


class DrainingServer(QuietServer):
    """A server that after SIGTERM goes on answering, until balancers that look at `/readyz` have turned away.

    A second SIGTERM, or SIGINT, makes it stop at once.

    Args:
        config: what is served.
        leaving: set when it is told to go.
        delay: seconds that it then stays.
        orphaned: whether who started it is gone: then it leaves, without delay.
    """

    def __init__(
        self, config: uvicorn.Config, leaving: Event, delay: float, *, orphaned: Callable[[], bool] = lambda: False
    ) -> None:
        super().__init__(config)
        self._leaving = leaving
        self._delay = delay
        self._orphaned = orphaned
        self._leaves_at = float("inf")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to leave, or stop."""
        waits = sig == SIGTERM and self._delay > 0 and not self._leaving.is_set()
        self._leaving.set()
        if waits:
            self._leaves_at = time.monotonic() + self._delay
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Return whether it is time to stop, ten times a second."""
        if time.monotonic() >= self._leaves_at or self._orphaned():
            self.should_exit = True
        return await super().on_tick(counter)
