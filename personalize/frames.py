"""The frames that an error has passed: they hold all that was under way there, and often the error itself."""

from typing import TypeVar

E = TypeVar("E", bound=BaseException)


def let_go(error: E) -> E:
    """Return an error without its frames, and without the errors behind it, which have theirs.

    This is for whoever has heard an error out, or keeps it as a value: in a circle with its frames it would stay until
    all memory is looked through for garbage, and with it the request, the answer and the tasks of its time.
    """
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
