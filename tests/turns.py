"""Turns of the processes that run tests beside each other: a test that judges by time is not to be held up.

Those tests stand in rows behind all others, so that nobody waits for them in between: first those that are calm, for
they mostly wait themselves and hardly hold each other up, then one after the other those that have to be alone.
"""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

GATE = Path(__file__)
ROOM = GATE.with_name("conftest.py")
CALM_ROOM = GATE.with_name("processes.py")
"""Files that are there anyway: a lock on them leaves nothing behind."""

ROWS = ("", "calm", "alone")
"""How tests are marked, in the order in which they come."""


def row_of(item: pytest.Item) -> str:
    """Return the mark by which a test stands in its row."""
    return next(mark for mark in reversed(ROWS) if not mark or item.get_closest_marker(mark) is not None)


@contextmanager
def turn(row: str) -> Iterator[None]:
    """Run the body beside others of its row, or alone.

    Whoever comes waits at the gate for those to end whom it cannot be beside, and nobody enters meanwhile: so its turn
    comes.
    """
    with GATE.open() as gate, ROOM.open() as room, CALM_ROOM.open() as calm_room:
        fcntl.flock(gate, fcntl.LOCK_EX)
        for door, its_row in ((room, ""), (calm_room, "calm")):  # of another row, until nobody is there any more
            fcntl.flock(door, fcntl.LOCK_SH if row == its_row else fcntl.LOCK_EX)
        if row != "alone":
            fcntl.flock(calm_room if row == "" else room, fcntl.LOCK_UN)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


class Sharing(LoadScopeScheduling):
    """Gives a process all the tests of a file that stand together, so that they share what they set up."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        self._places: dict[str, str] = {}

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Take down the tests of a process, which are those of every other."""
        files = groupby(collection, key=lambda test: test.partition("::")[0])
        self._places = {test: f"{number} {file}" for number, (file, tests) in enumerate(files) for test in tests}
        super().add_node_collection(node, collection)

    def _split_scope(self, nodeid: str) -> str:
        return self._places[nodeid]
