"""What is installed: this version of the service, and what other distributions bring."""

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache, lru_cache
from importlib import metadata
from importlib.metadata import EntryPoints
from pathlib import Path


@cache
def version() -> str:
    """Return the version of the service: it stands among all that the distribution says of itself, which is long."""
    return metadata.version("personalize")


def brought(group: str) -> EntryPoints:
    """Return the entry points of one group."""
    return _selecting(tuple((place, _changed_at(place)) for place in sys.path))(group=group)


@lru_cache(maxsize=4)
def _selecting(_: tuple[tuple[str, int], ...]) -> Callable[..., EntryPoints]:
    """Return what selects entry points: to look through all distributions takes as long as to make half a service.

    It is a method, for what it is of has another type on Python 3.11.
    """
    return metadata.entry_points().select


def _changed_at(place: str) -> int:
    """Return when something was last put into a place of Python's path, or taken away, as file systems count.

    Installers make a folder anew; what is edited inside one that stays is seen by the next process.
    """
    with suppress(OSError):
        return Path(place).stat().st_mtime_ns
    return 0
