"""Turns of the processes that run tests beside each other: a test that judges by time has the machine for itself."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GATE = Path(__file__)
ROOM = GATE.with_name("conftest.py")
"""Files that are there anyway: a lock on them leaves nothing behind."""


@contextmanager
def turn(*, alone: bool) -> Iterator[None]:
    """Run the body beside any others, or alone.

    Whoever wants to be alone waits at the gate for the others to end, and nobody enters meanwhile: so its turn comes.
    """
    with GATE.open() as gate, ROOM.open() as room:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield
