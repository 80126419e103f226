"""Several workers: where they count, and what becomes of those that die, hang or cannot start."""

import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import uvicorn
from structlog.testing import capture_logs
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import SIGNALS, Process

from personalize import supervision
from personalize.errors import ConfigurationError
from personalize.supervision import START_SECONDS, Worker, Workers


@dataclass
class Puppet:
    """A worker that does as it is told."""

    pid: int
    well: bool = True
    ready: bool = True
    exitcode: int | None = None
    ended: list[str] = field(default_factory=list)

    def is_alive(self, timeout: float) -> bool:
        return self.well

    def is_ready(self, timeout: float = 5) -> bool:
        return self.well and self.ready

    def kill(self) -> None:
        self.ended.append("killed")

    def terminate(self) -> None:
        self.ended.append("terminated")

    def join(self) -> None:
        self.ended.append("joined")


class Bench(Workers):
    """A supervisor of puppets, numbered from 1."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        config = uvicorn.Config("none:app", workers=2)
        super().__init__(config, socket.socket(), folder, delay=0.0, clock=lambda: self.now)
        self.puppets: list[Puppet] = []
        self.init_processes()

    def _started(self) -> Worker:
        self.puppets.append(Puppet(len(self.puppets) + 1))
        return cast("Worker", self.puppets[-1])


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Return a supervisor; the signals that it takes are given back."""
    before: dict[int, Any] = {one: signal.getsignal(one) for one in SIGNALS}
    one = Bench(tmp_path)
    yield one
    one.sockets[0].close()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_directory_is_new_and_goes_with_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment names, what an earlier service counted is not in it."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/of/somebody/else")
    with supervision.directory() as made:
        assert os.environ["PROMETHEUS_MULTIPROC_DIR"] == str(made)
        assert [*made.iterdir()] == []
    assert not made.exists()
    assert os.environ["PROMETHEUS_MULTIPROC_DIR"] == "/of/somebody/else"


def test_who_died_is_replaced_and_leaves_its_counters(bench: Bench, tmp_path: Path) -> None:
    """Of the gauges it is taken out; the others are left alone."""
    for name in ("counter_1.db", "gauge_livesum_1.db", "gauge_livesum_2.db"):
        (tmp_path / name).touch()
    bench.keep_subprocess_alive()
    bench.puppets[0].well, bench.puppets[0].exitcode = False, -9
    with capture_logs() as told:
        bench.keep_subprocess_alive()
    assert [one.pid for one in bench.processes] == [3, 2]
    assert bench.puppets[0].ended == ["killed", "joined"]
    assert bench.puppets[1].ended == []
    assert sorted(one.name for one in tmp_path.iterdir()) == ["counter_1.db", "gauge_livesum_2.db"]
    assert [(one["event"], one["status"]) for one in told] == [("worker_replaced", -9)]


def test_a_service_of_which_no_worker_can_start_ends(bench: Bench) -> None:
    """The next one could not either; the others are told to go first."""
    for one in bench.puppets:
        one.well, one.exitcode = False, STARTUP_FAILURE
    with pytest.raises(ConfigurationError, match="No worker could start"):
        bench.keep_subprocess_alive()
    assert bench.puppets[1].ended == ["terminated", "joined"]


def test_a_worker_that_cannot_take_anothers_place_does_not_end_the_service(bench: Bench) -> None:
    """The others serve, and it is tried again."""
    bench.keep_subprocess_alive()
    bench.puppets[0].well, bench.puppets[0].exitcode = False, STARTUP_FAILURE
    bench.keep_subprocess_alive()
    assert [one.pid for one in bench.processes] == [3, 2]


def test_a_service_that_stops_replaces_nobody(bench: Bench) -> None:
    """Who dies then was to go anyway."""
    bench.puppets[0].well = False
    bench.should_exit.set()
    bench.keep_subprocess_alive()
    assert len(bench.puppets) == 2


def test_a_hangup_reaches_those_that_are_ready(bench: Bench) -> None:
    """One that still starts would be ended by it; it may have read what is old, and gets it once it is ready."""
    heard: list[int] = []
    starting = bench.puppets[0]
    starting.pid, starting.ready = os.getpid(), False
    bench.puppets[1].ready = False
    signal.signal(signal.SIGHUP, lambda number, _: heard.append(number))
    bench.handle_hup()
    assert heard == []
    starting.ready = True
    bench.keep_subprocess_alive()
    bench.keep_subprocess_alive()
    assert heard == [signal.SIGHUP]


def test_a_worker_has_one_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made before the thread begins that tells of it: of two, the one that is told of would never start."""
    made: list[uvicorn.Server | None] = []
    monkeypatch.setattr(Process, "target", lambda worker, _: made.append(worker._server))
    worker = Worker(uvicorn.Config(lambda: None), [], 0.0)
    worker.target([])
    assert made == [worker.server]


def test_a_worker_that_starts_slowly_is_waited_for(bench: Bench) -> None:
    """It lives, and has never been ready; a minute later it counts as hung."""
    bench.puppets[0].well = False
    bench.keep_subprocess_alive()
    bench.now += START_SECONDS - 1
    bench.keep_subprocess_alive()
    assert [one.pid for one in bench.processes] == [1, 2]
    bench.now += 1
    bench.keep_subprocess_alive()
    assert [one.pid for one in bench.processes] == [3, 2]


def test_a_worker_that_was_ready_and_hangs_is_replaced(bench: Bench) -> None:
    """At once: it has had its time to start."""
    bench.keep_subprocess_alive()
    bench.puppets[0].well = False
    bench.keep_subprocess_alive()
    assert [one.pid for one in bench.processes] == [3, 2]
