"""Turns of the processes that run tests beside each other: a test that judges by time has the machine for itself.

Those tests stand in one row behind all others, so that nobody waits for them in between.
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


def is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


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
