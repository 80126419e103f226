"""What is in memory although nothing needs it: what holds itself stays until it is looked for."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[Callable[[type], int]]:
    """Let nobody look for garbage, and yield what counts the objects of a type that were made since and are there."""
    gc.collect()
    gc.freeze()  # what is frozen is not told of
    gc.disable()
    try:
        yield lambda kind: sum(issubclass(type(one), kind) for one in gc.get_objects())
    finally:
        gc.enable()
        gc.unfreeze()
