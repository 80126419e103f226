"""Patience: how long one request waits for Redis in all, however many operations it takes and whoever begins them."""

from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass

REQUEST_SECONDS = 0.1
"""What Redis may take of a request, beside what is read from the Profile API meanwhile."""

_patience: ContextVar["Patience | None"] = ContextVar("patience", default=None)


@dataclass(slots=True)
class Patience:
    """What one request has to wait for Redis, in seconds, and what it has waited."""

    seconds: float = REQUEST_SECONDS
    spent: float = 0.0

    @property
    def left(self) -> float:
        """For how long it is worth waiting; not at all once it has run out."""
        return max(0.0, self.seconds - self.spent)


class hurried:  # noqa: N801 -- a context manager, of which each request makes one: a generator would take twice as long
    """Let the body, and the tasks that it begins, be one request, which somebody waits for.

    Args:
        patience: what it has; a request's, where it is left out.
    """

    __slots__ = ("_patience", "_token")

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()

    def __enter__(self) -> Patience:
        self._token = _patience.set(self._patience)
        return self._patience

    def __exit__(self, *_: object) -> None:
        _patience.reset(self._token)


def unhurried() -> Context:
    """Return the context of now for a task that nobody waits for."""
    context = copy_context()
    context.run(_patience.set, None)
    return context


def current() -> Patience | None:
    """Return the patience of whoever asks; `None` where nobody waits."""
    return _patience.get()


def spend(seconds: float) -> None:
    """Take it from the patience of whoever asks that it has waited for so long."""
    if (patience := _patience.get()) is not None:
        patience.spent += seconds


def spent() -> float:
    """Return what Redis has taken of the request of whoever asks, in seconds; nothing where nobody waits."""
    patience = _patience.get()
    return 0.0 if patience is None else patience.spent
