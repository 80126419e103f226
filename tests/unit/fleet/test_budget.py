"""The rate budget: never more than the rate and a burst, the urgent first, shared over a real Redis, and without it."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize.fleet.budget import BURST, Bucket, Budget, Grant
from personalize.fleet.connection import Connection
from personalize.ports import Priority
from personalize.telemetry.metrics import Metrics
from tests.redises import Server, needs_redis
from tests.unit.fleet.conftest import Clock

PRIORITIES: Sequence[Priority] = ("server", "page", "refresh")
RATES = [0.5, 1.0, 2.0, 10.0, 80.0, 1000.0]


@given(
    rate=st.sampled_from(RATES),
    burst=st.sampled_from([0.5, 1, 2, 8]),
    asks=st.lists(st.tuples(st.floats(0, 0.2), st.sampled_from(PRIORITIES)), max_size=200),
)
def test_no_window_holds_more_than_rate_and_burst(
    rate: float, burst: float, asks: list[tuple[float, Priority]]
) -> None:
    """Whoever asks, and whenever."""
    bucket, now, granted = Bucket(rate, burst), 0.0, list[float]()
    for pause, priority in asks:
        now += pause
        if bucket.take(priority, now) == 0:
            granted.append(now)
    for first, start in enumerate(granted):
        for last, end in enumerate(granted[first:], start=1):
            assert last <= rate * (end - start) + max(1, burst) + 1e-6


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("priority", PRIORITIES)
def test_an_idle_budget_lets_everybody_through(rate: float, priority: Priority) -> None:
    """Also a small one, and the least urgent."""
    bucket = Bucket(rate, BURST)
    assert bucket.take(priority, 0.0) == 0
    assert bucket.take(priority, 1 / rate) == 0


@pytest.mark.parametrize(("priority", "burst"), [("server", 8), ("page", 6), ("refresh", 3)])
def test_the_less_urgent_leave_a_part_of_the_burst(priority: Priority, burst: int) -> None:
    """Two calls for servers, five for servers and pages."""
    bucket = Bucket(80, BURST)
    taken = 0
    while bucket.take(priority, 0.0) == 0:
        taken += 1
    assert taken == burst
    assert bucket.take("server", 0.0) == (0 if burst < BURST else pytest.approx(1 / 80))


def test_servers_come_through_while_pages_take_all_there_is() -> None:
    """A flood of pages spends the rate; a server's call is granted within what the pages leave."""
    bucket, now, servers = Bucket(80, BURST), 0.0, 0
    for turn in range(1000):
        now += 0.001
        bucket.take("page", now)
        if turn % 50 == 0:
            servers += bucket.take("server", now) == 0
    assert servers == 20


def test_a_wait_is_the_time_until_it_is_granted() -> None:
    """Not a moment less, if nobody else comes."""
    bucket = Bucket(80, 1)
    assert bucket.take("page", 0.0) == 0
    wait = bucket.take("page", 0.0)
    assert bucket.take("page", wait - 0.001) > 0
    assert bucket.take("page", wait) == 0


@needs_redis
async def test_replicas_share_one_budget(connection: Connection) -> None:
    """Two processes that ask as fast as they can get what one would, by Redis' clock."""
    budgets = [Budget(connection, name="space", rate=80, fleet_size=2) for _ in range(2)]
    begun, granted = time.monotonic(), 0
    while time.monotonic() - begun < 0.5:
        grants = await asyncio.gather(*(one.take("server") for one in budgets))
        granted += sum(grant.wait == 0 for grant in grants)
    took = time.monotonic() - begun
    assert 0.5 * 80 * took <= granted <= 80 * took + BURST + 1


@needs_redis
@pytest.mark.parametrize("priority", PRIORITIES)
async def test_redis_counts_as_the_bucket_does(server: Server, connection: Connection, priority: Priority) -> None:
    """The same calls at once, and the same wait after them."""
    budget, bucket = Budget(connection, name="space", rate=1), Bucket(1, BURST)
    expected = [bucket.take(priority, 0.0) for _ in range(10)]
    waits = [(await budget.take(priority)).wait for _ in range(10)]
    assert [wait == 0 for wait in waits] == [wait == 0 for wait in expected]
    assert waits[-1] == pytest.approx(expected[-1], abs=0.5)
    assert all(key.startswith(b"personalize:{budget:space}:") for key in server.client.scan_iter())
    assert all(server.client.pttl(key) > 0 for key in server.client.scan_iter())


@needs_redis
async def test_a_pause_holds_for_the_whole_fleet(connection: Connection) -> None:
    """It is only ever lengthened, and each replica remembers it when Redis goes away."""
    one, two = (Budget(connection, name="space", rate=80) for _ in range(2))
    await one.pause(30)
    await one.pause(1)
    for budget in (one, two):
        grant = await budget.take("server")
        assert grant.paused
        assert 28 < grant.wait <= 30
    await connection.aclose()
    assert (await two.take("server")).paused


async def test_without_redis_a_process_has_its_share(tmp_path: Path, metrics: Metrics, clock: Clock) -> None:
    """A quarter of the rate and of the burst, on its own clock."""
    connection = Connection(f"unix://{tmp_path}/none.sock", metrics=metrics)
    budget = Budget(connection, name="space", rate=80, fleet_size=4, clock=clock)
    granted = 0
    for _ in range(1000):
        granted += (await budget.take("server")).wait == 0
        clock.now += 0.001
    assert granted == 20 + 2 - 1
    await connection.aclose()


async def test_a_pause_without_redis_is_ones_own(clock: Clock) -> None:
    """And ends."""
    budget = Budget(None, name="space", rate=80, clock=clock)
    await budget.pause(5)
    assert await budget.take("server") == Grant(5.0, paused=True)
    clock.now += 5
    assert await budget.take("server") == Grant(0.0)


@needs_redis
async def test_a_change_to_ones_own_share_brings_no_second_burst(
    server: Server, connection: Connection, clock: Clock
) -> None:
    """What Redis granted a moment ago is counted."""
    budget = Budget(connection, name="space", rate=1, fleet_size=1, clock=clock)
    assert [(await budget.take("server")).wait == 0 for _ in range(BURST)] == [True] * BURST
    await connection.aclose()
    server.client.client_pause(200, all=True)
    assert (await budget.take("server")).wait > 0
    server.client.client_unpause()
