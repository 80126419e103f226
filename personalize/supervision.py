"""Several workers as one service: they are started, watched and replaced, and counted together."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.supervisors import Multiprocess

_COUNTED_IN = "PROMETHEUS_MULTIPROC_DIR"
"""By which prometheus-client learns, when it is imported, where a process writes what it counts."""


@contextmanager
def directory() -> Iterator[Path]:
    """Yield a new, empty directory in which the workers that are started meanwhile count.

    What an earlier service counted is never in it, whatever that one left behind.
    """
    before = os.environ.get(_COUNTED_IN)
    with TemporaryDirectory(prefix="personalize-metrics-") as made:
        os.environ[_COUNTED_IN] = made
        try:
            yield Path(made)
        finally:
            del os.environ[_COUNTED_IN]
            if before is not None:
                os.environ[_COUNTED_IN] = before


class Workers(Multiprocess):
    """uvicorn's supervisor, which also takes a dead worker out of the gauges. Its counters stay: none ever falls.

    Args:
        config: what each worker serves.
        listener: what they share.
        counted_in: the directory of `directory`.
    """

    def __init__(self, config: uvicorn.Config, listener: socket.socket, counted_in: Path) -> None:
        super().__init__(config, sockets=[listener])
        self._counted_in = counted_in
        self._known: set[int] = set()

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have died, as often as uvicorn looks."""
        self._known |= self._living()
        super().keep_subprocess_alive()
        for pid in self._known - self._living():
            mark_process_dead(pid, str(self._counted_in))  # type: ignore[no-untyped-call]
            self._known.discard(pid)

    def _living(self) -> set[int]:
        return {one.pid for one in self.processes if one.pid is not None}
