"""Several workers as one service: they are started, watched and replaced, and counted together."""

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from math import inf
from multiprocessing import parent_process
from pathlib import Path
from signal import SIGHUP, SIGTERM
from tempfile import TemporaryDirectory
from threading import Event
from typing import cast

import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from personalize.draining import DrainingServer
from personalize.errors import ConfigurationError
from personalize.telemetry import logs

_COUNTED_IN = "PROMETHEUS_MULTIPROC_DIR"
"""By which prometheus-client learns, when it is imported, where a process writes what it counts."""

START_SECONDS = 60.0
"""What a worker is given until it is ready: on a busy processor it may well not answer for that long."""

HURRY_SECONDS = 0.1


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


def _orphaned() -> bool:
    """Whether the supervisor is gone: nobody would replace this worker, or let another service have its port."""
    supervisor = parent_process()
    return supervisor is not None and os.getppid() != supervisor.pid


class Worker(Process):
    """uvicorn's worker, with a server that leaves when the service does."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], delay: float) -> None:
        super().__init__(config, sockets)
        self._delay = delay

    @property
    def server(self) -> uvicorn.Server:
        """The server, made in the worker's own process; its application is told by an event that it leaves."""
        if self._server is None:
            leaving = Event()
            self.config.app = partial(cast("Callable[..., object]", self.config.app), leaving)
            self._server = DrainingServer(self.config, leaving, self._delay, orphaned=_orphaned)
        return self._server

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """Make the server, and only then let the thread run that tells the supervisor of it.

        Both ask for it at once: else there may be two, of which the one that is told of never starts.
        """
        _ = self.server
        super().target(sockets)


class Workers(Multiprocess):
    """uvicorn's supervisor, which takes dead workers out of the gauges and keeps their counters: none ever falls.

    Args:
        config: what each worker serves: a factory that is given the event of its leaving.
        listener: what they share.
        counted_in: the directory of `directory`.
        delay: seconds that a worker stays after SIGTERM.
        clock: a monotonic time in seconds.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        listener: socket.socket,
        counted_in: Path,
        *,
        delay: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(config, sockets=[listener])
        self._counted_in = counted_in
        self._delay = delay
        self._clock = clock
        self._served = False
        self._hurried = False
        self._starting: dict[int | None, float] = {}
        """Workers that were never ready, by their ids, and since when they are known."""
        self._owed: set[int | None] = set()
        """Workers, by their ids, that could not be passed a hangup yet."""

    def init_processes(self) -> None:
        """Start the workers."""
        self.processes = [self._started() for _ in range(self.processes_num)]

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have died or hang, as often as uvicorn looks.

        Raises:
            ConfigurationError: a worker could not start, and none ever could: the next one could not either.
        """
        self._pass_hangup([one for one in self.processes if one.pid in self._owed])
        for index, worker in enumerate(self.processes):
            if self.should_exit.is_set() or self._is_well(worker):
                continue
            worker.kill()
            worker.join()
            if worker.exitcode == STARTUP_FAILURE and not self._served:
                self._give_up()
            logs.worker_replaced(worker.exitcode or 0)
            mark_process_dead(worker.pid, str(self._counted_in))  # type: ignore[no-untyped-call]  # prometheus_client's, untyped
            self._starting.pop(worker.pid, None)
            self.processes[index] = self._started()

    def handle_hup(self) -> None:
        """Pass the signal on: each worker loads what is reloaded, and none stops answering."""
        self._pass_hangup(self.processes)

    def _pass_hangup(self, workers: Iterable[Process]) -> None:
        """Pass the signal on to those who are ready, for others would be ended by it; they get it when they are."""
        for worker in workers:
            if worker.is_ready(timeout=1) and worker.pid is not None:
                os.kill(worker.pid, SIGHUP)
                self._owed.discard(worker.pid)
            else:
                self._owed.add(worker.pid)

    def handle_int(self) -> None:
        """Leave without the delay."""
        self._hurried = True
        super().handle_int()

    def handle_term(self) -> None:
        """Leave; when told so again, without the delay."""
        self._hurried = self._hurried or self.should_exit.is_set()
        super().handle_term()

    def join_all(self) -> None:
        """Wait for the workers, and let them hurry as soon as this process is told to."""
        while waited_for := [one.pid for one in self.processes if one.exitcode is None and one.pid is not None]:
            self.handle_signals()
            for pid in waited_for if self._hurried else ():
                os.kill(pid, SIGTERM)  # again and again, for two that come close together count as one
            time.sleep(HURRY_SECONDS)
        super().join_all()

    def _is_well(self, worker: Process) -> bool:
        """Return whether a worker answers, or has not had the time to start."""
        alive = worker.is_alive(timeout=self.config.timeout_worker_healthcheck)
        if alive and worker.is_ready():
            self._served = True
            self._starting[worker.pid] = -inf
        since = self._starting.setdefault(worker.pid, self._clock())
        return alive or (worker.exitcode is None and self._clock() - since < START_SECONDS)

    def _started(self) -> Worker:
        worker = Worker(self.config, self.sockets, self._delay)
        worker.start()
        return worker

    def _give_up(self) -> None:
        self.terminate_all()
        self.join_all()
        raise ConfigurationError("No worker could start; what it said of that is above.")
