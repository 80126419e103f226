"""Segment is slow: whoever is known is served at once, and nobody waits longer than the deadline."""

from collections import Counter
from itertools import cycle

import pytest

from tests.faults import load, visitors
from tests.faults.conftest import Serve
from tests.faults.service import Sandbox
from tests.processes import wait_until

SLOW_MS = 2000


@pytest.mark.calm
def test_known_visitors_do_not_notice(sandbox: Sandbox, serve: Serve) -> None:
    """Their answers turn stale meanwhile: each is served at once, and read again once in the background."""
    names = visitors.known.some(6)
    with serve(sandbox.url, CACHE_TTL="1s", REVALIDATE_TTL="60s") as service:
        wait_until(lambda: all(map(service.knows, names)), "everyone to be known")
        sandbox.misbehave(latency_ms=SLOW_MS)
        answers = load.steady(service.url, visitors.paths(cycle(names)), rate=200, seconds=3)
        stale = service.numbers("personalize_sections_total", outcome="stale")

        assert visitors.holds(answers)
        assert answers.percentile(50) < SLOW_MS / 1000 / 10
        assert all(body["personalized"] and not body["degraded"] for body in answers.bodies)
        assert stale > len(names)
        assert not service.run.output.count("Traceback")
    reads = Counter(call["path"] for call in sandbox.calls())
    assert max(reads.values()) <= 3  # before, and at most one as each of two ages passed


def test_the_refresh_is_one_a_visitor(sandbox: Sandbox, serve: Serve) -> None:
    """However many ask while it is under way."""
    name = next(visitors.known)
    with serve(sandbox.url, CACHE_TTL="1s", REVALIDATE_TTL="60s") as service:
        assert service.knows(name)
        sandbox.misbehave(latency_ms=SLOW_MS)
        wait_until(lambda: service.ask(name) and service.numbers("personalize_sections_total", outcome="stale"), "age")
        answers = load.closed(service.url, visitors.paths([name] * 300), clients=50)
        assert visitors.holds(answers)
        wait_until(lambda: service.numbers("personalize_sections_total", outcome="refreshed") == 1, "the refresh")
    assert len(sandbox.calls(name)) == 2


@pytest.mark.calm
def test_strangers_get_the_default_in_time_and_are_known_afterwards(sandbox: Sandbox, serve: Serve) -> None:
    """The answer that came too late for the page is there for the next one, without another call."""
    names = visitors.known.some(8)
    sandbox.misbehave(latency_ms=1200)
    with serve(sandbox.url, DEADLINE="300ms") as service:
        answers = load.closed(service.url, visitors.paths(names), clients=len(names))
        assert visitors.holds(answers, within=0.3 + 0.35)
        assert all(body["degraded"] and not body["personalized"] for body in answers.bodies)

        wait_until(lambda: service.numbers("personalize_upstream_requests_total", outcome="ok") == len(names), "reads")
        assert all(map(service.is_well, names))
    assert len(sandbox.calls()) == len(names)


def test_a_dripping_answer_is_given_up(sandbox: Sandbox, serve: Serve) -> None:
    """Bytes that keep coming do not keep a read alive; the visitor has the default."""
    name = next(visitors.known)
    sandbox.misbehave(kind="drip", pace_ms=400)
    with serve(sandbox.url, DEADLINE="200ms") as service:
        answers = load.closed(service.url, visitors.paths([name]), clients=1)
        assert visitors.holds(answers, within=0.2 + 0.35)
        wait_until(lambda: service.numbers("personalize_upstream_requests_total", outcome="timed_out") == 1, "the end")
        sandbox.behave()
        wait_until(lambda: service.is_well(name), "the visitor to be known")
