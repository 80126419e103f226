"""Patience: how long one request waits for Redis in all, however many operations it takes and whoever begins them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context

REQUEST_SECONDS = 0.1
"""What Redis may take of a request, beside what is read from the Profile API meanwhile."""

_patience: ContextVar["Patience | None"] = ContextVar("patience", default=None)


class Patience:
    """Runs out while at least one operation is waited for: several at once cost a request as much as the longest.

    Args:
        seconds: what there is of it.
        clock: a monotonic time in seconds.
    """

    def __init__(self, seconds: float = REQUEST_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._left = seconds
        self._clock = clock
        self._waiting = 0
        self._since = 0.0

    @property
    def left(self) -> float:
        """Seconds for which it is worth waiting; none once it has run out."""
        spent = self._clock() - self._since if self._waiting else 0.0
        return max(0.0, self._left - spent)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Wait for something in the body."""
        if not self._waiting:
            self._since = self._clock()
        self._waiting += 1
        try:
            yield
        finally:
            left = self.left
            self._waiting -= 1
            if not self._waiting:
                self._left = left


@contextmanager
def hurried(patience: Patience | None = None) -> Iterator[Patience]:
    """Let the body, and the tasks that it begins, be one request, which somebody waits for."""
    patience = patience or Patience()
    token = _patience.set(patience)
    try:
        yield patience
    finally:
        _patience.reset(token)


def unhurried() -> Context:
    """Return the context of now for a task that nobody waits for."""
    context = copy_context()
    context.run(_patience.set, None)
    return context


def current() -> Patience | None:
    """Return the patience of whoever asks; `None` where nobody waits."""
    return _patience.get()
