"""Clocks are wrong: nothing looks younger than it is, and nothing waits for a clock that stepped back."""

from functools import partial
from pathlib import Path

import pytest

from tests.faults import skewed, visitors
from tests.faults.conftest import Serve
from tests.faults.redis_server import RedisServer
from tests.faults.service import Sandbox
from tests.processes import wait_until

FIVE_MINUTES = 300.0


@pytest.mark.parametrize("ahead", [FIVE_MINUTES, -FIVE_MINUTES])
def test_a_replica_with_another_clock_is_right(
    sandbox: Sandbox, serve: Serve, redis_server: RedisServer, tmp_path: Path, ahead: float
) -> None:
    """What one replica wrote, another reads whose clock is five minutes off: served, and read anew, not believed."""
    name, file = next(visitors.known), tmp_path / "ahead"
    skewed.step(file, ahead)
    with serve(sandbox.url, REDIS_URL=redis_server.url, CACHE_TTL="200s") as right:
        assert right.is_well(name)
        wait_until(redis_server.profiles, "the profile in Redis")
    with serve(sandbox.url, clock=file, REDIS_URL=redis_server.url, CACHE_TTL="200s") as wrong:
        assert wrong.is_well(name)
        wait_until(lambda: wrong.is_well(name) and len(sandbox.calls(name)) == 2, "a read anew")


def test_a_step_back_keeps_nothing_young(sandbox: Sandbox, serve: Serve, tmp_path: Path) -> None:
    """The clock goes an hour back: what was read before is from the future now, and is read anew."""
    name, file = next(visitors.known), tmp_path / "ahead"
    skewed.step(file, 0)
    with serve(sandbox.url, clock=file) as service:
        assert service.is_well(name)
        skewed.step(file, -3600)
        wait_until(lambda: service.is_well(name) and len(sandbox.calls(name)) == 2, "a read anew")
        assert service.is_well(name)
    assert len(sandbox.calls(name)) == 2


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_pauses_are_measured_by_another_clock(sandbox: Sandbox, serve: Serve, tmp_path: Path, ahead: float) -> None:
    """A pause neither ends nor lasts because the wall clock stepped."""
    file = tmp_path / "ahead"
    skewed.step(file, 0)
    with serve(sandbox.url, clock=file) as service:
        sandbox.misbehave(status=429, retry_after="2", times=1)
        name, other = visitors.known.some(2)
        assert service.ask(name)["degraded"]
        skewed.step(file, ahead)
        assert service.ask(other)["degraded"]
        assert len(sandbox.calls()) == 1
        wait_until(lambda: service.is_well(name), "the end of the pause", 8)


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_the_budget_is_measured_by_another_clock(sandbox: Sandbox, serve: Serve, tmp_path: Path, ahead: float) -> None:
    """Whoever is unknown is asked about, whatever the wall clock did."""
    file = tmp_path / "ahead"
    skewed.step(file, 0)
    with serve(sandbox.url, clock=file, RATE_LIMIT="20") as service:
        assert service.is_well(next(visitors.known))
        skewed.step(file, ahead)
        for name in visitors.known.some(5):
            wait_until(partial(service.is_well, name), "a visitor to be known", 3)
