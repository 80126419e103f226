"""A deployment as operators have it: two services behind a balancer, restarted one after the other, and one killed."""

import itertools
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.conftest import free_port
from tests.faults import visitors
from tests.faults.conftest import Serve
from tests.faults.load import Answers, Background, Driver
from tests.faults.redis_server import RedisServer
from tests.faults.service import Sandbox, Service
from tests.haproxy import Balancer, balancing
from tests.processes import wait_until

RATE = 200
READERS = 300
"""Visitors who come again and again."""


class Fleet:
    """Two services by their names, each on a port that it keeps."""

    def __init__(self, stack: ExitStack, serve: Serve, sandbox: Sandbox, redis_url: str) -> None:
        self.ports = {"a": free_port(), "b": free_port()}
        self._running: dict[str, Service] = {}
        self._stack, self._serve, self._sandbox = stack, serve, sandbox
        self._settings = {"REDIS_URL": redis_url, "DRAIN_DELAY": "2s", "FLEET_SIZE": "2"}
        for name in self.ports:
            self.start(name)

    def start(self, name: str) -> None:
        """Start one, and wait until it is ready."""
        serving = self._serve(self._sandbox.url, port=self.ports[name], **self._settings)
        self._running[name] = self._stack.enter_context(serving)

    def leave(self, name: str) -> int:
        """Ask one to leave, as an operator would, and return the status that it ends with."""
        process = self._running[name].run.process
        process.send_signal(signal.SIGTERM)
        return process.wait(25)

    def kill(self, name: str) -> float:
        """Kill one, and return when."""
        os.kill(self._running[name].run.process.pid, signal.SIGKILL)
        return time.monotonic()


@pytest.fixture
def fleet(sandbox: Sandbox, serve: Serve, redis_server: RedisServer) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(stack, serve, sandbox, redis_server.url)


@contextmanager
def asked(balancer: Balancer) -> Iterator[Answers]:
    """Let readers ask all the time, 200 times a second."""
    answers, readers = Answers(), visitors.known.some(READERS)
    paths = visitors.paths(itertools.cycle(readers))
    driver = Driver(balancer.url, answers.append)
    with Background(lambda: driver.steady(paths, rate=RATE, seconds=120)).running():
        yield answers


def more(answers: Answers) -> None:
    """Wait until a second's worth of requests has been answered from now on."""
    enough = len(answers) + RATE
    wait_until(lambda: len(answers) >= enough, f"{RATE} more answers")


@pytest.mark.timeout(180)
def test_a_deployment_costs_no_request_and_a_death_those_under_way(fleet: Fleet, tmp_path: Path) -> None:
    """Each service is replaced under load, and nobody notices; then one is killed."""
    with balancing(fleet.ports["a"], fleet.ports["b"], tmp_path) as balancer:
        balancer.sees("a", "b")
        with asked(balancer) as answers:
            more(answers)
            for name in ("a", "b"):
                assert fleet.leave(name) == 0
                fleet.start(name)
                balancer.sees("a", "b")
                more(answers)
            assert visitors.holds(Answers(answers))
            before, killed = len(answers), fleet.kill("a")
            balancer.sees("b")
            more(answers)
        after = Answers(answers[before:])
        assert set(after.statuses) <= {200, 502, 0}
        lost = [answer for answer in after if answer.status != 200]
        assert [answer for answer in lost if not answer.due - 0.1 <= killed <= answer.due + answer.seconds + 0.1] == []
