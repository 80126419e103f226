"""Connections hang, break and cannot be made: requests keep their deadline, and the pool recovers."""

from itertools import cycle
from pathlib import Path

import pytest

from tests.conftest import free_port
from tests.faults import load, visitors
from tests.faults.conftest import Serve
from tests.faults.load import meanwhile
from tests.faults.proxy import (
    Bandwidth,
    Down,
    Latency,
    LimitData,
    ResetPeer,
    Slicer,
    Timeout,
    Toxic,
    proxied,
)
from tests.faults.service import Sandbox, sandbox_running, until
from tests.processes import wait_until

DEADLINE = 0.3
LATE = 0.35
"""Seconds of slack on a busy machine."""


@pytest.mark.calm
def test_a_peer_that_stands_still_holds_nobody_up(sandbox: Sandbox, serve: Serve) -> None:
    """Its sockets stay open: pages keep the deadline, those who are known do not notice, and it comes back."""
    known, fresh, *cold = visitors.known.some(102)
    with serve(sandbox.url, DEADLINE="300ms") as service:
        assert service.is_well(known)
        with sandbox.stopped():
            with meanwhile(lambda: load.steady(service.url, visitors.paths(cold), rate=40, seconds=2)) as waiting:
                warm = load.steady(service.url, visitors.paths(cycle([known])), rate=50, seconds=2)
            answers = waiting.result()
        assert visitors.holds(answers, within=DEADLINE + LATE)
        assert all(body["degraded"] for body in answers.bodies)
        assert visitors.holds(warm)
        assert warm.percentile(90) < 0.05
        assert all(body["personalized"] and not body["degraded"] for body in warm.bodies)
        wait_until(lambda: service.is_well(fresh), "a fresh answer", 8)


def test_slots_of_hanging_reads_are_given_back(sandbox: Sandbox, serve: Serve) -> None:
    """More reads hang than there are connections; once they were given up, others are made."""
    with serve(sandbox.url, DEADLINE="300ms", RATE_LIMIT="1000") as service:
        sandbox.misbehave(latency_ms=10_000)
        answers = load.closed(service.url, visitors.paths(visitors.known.some(250)), clients=250)
        assert visitors.holds(answers)
        sandbox.behave()
        name = next(visitors.known)
        wait_until(lambda: service.is_well(name), "a fresh answer", 10)


def test_a_name_that_is_not_found_is_a_failure(serve: Serve) -> None:
    """Pages have their defaults in time; a name that does not resolve holds nobody up."""
    with serve("http://profiles.invalid:8100", DEADLINE="300ms") as service:
        answers = load.closed(service.url, visitors.paths(visitors.known.some(20)), clients=5)
        assert visitors.holds(answers, within=DEADLINE + LATE)
        assert all(body["degraded"] for body in answers.bodies)
        assert service.is_ready


def test_who_listens_late_is_found(serve: Serve, sandbox: Sandbox, seed: Path) -> None:
    """Nobody was there when the service started."""
    name, port = next(visitors.known), free_port()
    with serve(f"http://127.0.0.1:{port}") as service:
        assert service.ask(name)["degraded"]
        with sandbox_running(sandbox.client, seed, port=port):
            wait_until(lambda: service.is_well(name), "a fresh answer", 10)


TOXICS = [
    Latency(3.0),
    Bandwidth(100),
    Slicer(7, pause=0.1),
    LimitData(60),
    Timeout(),
    ResetPeer(),
    Down(),
    Latency(3.0, stream="upstream"),
]


@pytest.mark.parametrize("toxic", TOXICS, ids=lambda toxic: f"{type(toxic).__name__.lower()}-{toxic.stream}")
def test_a_bad_way_to_segment_is_survived(sandbox: Sandbox, serve: Serve, toxic: Toxic) -> None:
    """Whatever the network does, known visitors have their answers, others defaults in time, and it passes."""
    known, fresh, *cold = visitors.known.some(32)
    with proxied(sandbox.url) as (proxy, url), serve(url, DEADLINE="300ms") as service:
        assert service.is_well(known)
        with proxy.having(toxic):
            paths = visitors.paths(name for other in cold for name in (known, other))
            answers = load.steady(service.url, paths, rate=40, seconds=1.5)
        assert visitors.holds(answers, within=DEADLINE + LATE)
        assert all(
            body["personalized"] for answer, body in zip(answers, answers.bodies, strict=True) if known in answer.path
        )
        assert until(lambda: service.is_well(fresh), "a fresh answer", 10) < 6 + 1.5
