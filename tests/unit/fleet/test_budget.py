"""The rate budget: what it grants to whom, the same on a real Redis and without one."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from personalize.fleet.budget import BURST, TAKE, Bucket, Budget
from personalize.fleet.connection import Connection
from personalize.fleet.hand import SECONDS
from personalize.ports import Priority
from personalize.telemetry.metrics import Metrics
from tests import redises
from tests.connections import Clock, connected, eventually
from tests.redises import Server, needs_redis

pytestmark = [needs_redis, pytest.mark.calm]  # an operation of Redis has 50 ms

PRIORITIES: tuple[Priority, ...] = ("server", "page", "refresh")
RATES = (0.5, 1, 2, 10, 80, 1000)
TAT = "personalize:{budget:space}:tat"
PAUSE = "personalize:{budget:space}:pause"

rates = st.sampled_from(RATES)
priorities = st.sampled_from(PRIORITIES)


def budget(
    connection: Connection | None = None, rate: float = 80, fleet_size: int = 1, clock: Clock | None = None
) -> Budget:
    return Budget(
        connection,
        name="space",
        rate=rate,
        metrics=Metrics(CollectorRegistry()),
        fleet_size=fleet_size,
        clock=clock or Clock(),
    )


async def spent(budget: Budget, priority: Priority) -> int:
    """Take calls until there are none; return how many there were."""
    for count in itertools.count():
        if (await budget.take(priority)).wait > 0:
            return count
    raise AssertionError


@given(
    rate=rates,
    burst=st.sampled_from((1.0, 1.5, 4.0, 8.0)),
    asks=st.lists(st.tuples(st.floats(0, 5), priorities), max_size=60),
)
def test_no_window_has_more_than_the_rate_and_a_burst(
    rate: float, burst: float, asks: Sequence[tuple[float, Priority]]
) -> None:
    """However the asking is spread, and whoever asks."""
    bucket, tat, now, granted = Bucket(rate, burst), 0.0, 1000.0, list[float]()
    for intervals, priority in asks:
        now += intervals / rate
        wait, tat = bucket.take(tat, now, priority)
        granted += [now] * (wait == 0)
    for first, last in itertools.combinations(range(len(granted)), 2):
        assert last - first + 1 <= rate * (granted[last] - granted[first]) + burst + 1e-6


def test_servers_come_through_while_pages_take_all_there_is() -> None:
    """A flood of pages spends the rate; a server's call is granted within what the pages leave."""
    bucket, tat, now, servers = Bucket(80, BURST), 0.0, 1000.0, 0
    for turn in range(1000):
        now += 0.001
        _, tat = bucket.take(tat, now, "page")
        if turn % 50 == 0:
            wait, tat = bucket.take(tat, now, "server")
            servers += wait == 0
    assert servers == 20


@given(rate=rates, priority=priorities, ahead=st.floats(0, 20))
def test_waiting_as_told_is_enough(rate: float, priority: Priority, ahead: float) -> None:
    """If nobody else asked meanwhile."""
    bucket = Bucket(rate, BURST)
    wait, tat = bucket.take(1000.0 + ahead / rate, 1000.0, priority)
    assume(wait > 0)
    assert bucket.take(tat, 1000.0 + wait + 1e-6, priority)[0] == 0


@given(rate=rates, priority=priorities, now=st.integers(10**15, 2 * 10**15), ahead=st.integers(-(10**8), 10**8))
def test_redis_reckons_the_same(shared_server: Server, rate: float, priority: Priority, now: int, ahead: int) -> None:
    """Its script, with its clock replaced by an argument, against the arithmetic here."""
    bucket = Bucket(rate, BURST)
    micros = [round(seconds * 1e6) for seconds in (bucket.interval, bucket.tolerance(priority), bucket.depth)]
    script = TAKE.source.replace("redis.call('TIME')", "{ARGV[4], ARGV[5]}")
    wait, tat = bucket.take((now + ahead) / 1e6, now / 1e6, priority)
    level = (now + min(max(ahead, 0), micros[2])) - micros[1] - now
    assume(abs(level) > 2)  # where to grant is a matter of rounding
    shared_server.client.delete(PAUSE)
    shared_server.client.set(TAT, now + ahead)
    told = shared_server.run("EVAL", script, 2, TAT, PAUSE, *micros, now // 10**6, now % 10**6)
    assert told[1] == 0
    assert told[0] == pytest.approx(wait * 1e6, abs=2)
    if wait == 0:
        assert int(shared_server.client.get(TAT) or 0) == pytest.approx(tat * 1e6, abs=2)
        assert 0 < shared_server.client.pttl(TAT) <= bucket.depth * 1000 + 1001


@pytest.mark.parametrize("fleet_size", [1, 3, 100])
@pytest.mark.parametrize("rate", RATES)
async def test_after_a_rest_everyone_may_send(rate: float, fleet_size: int) -> None:
    """Refreshes too, at any rate; and again after the time that they were told to wait."""
    for priority in PRIORITIES:
        clock = Clock()
        share = budget(rate=rate, fleet_size=fleet_size, clock=clock)
        assert await spent(share, priority) >= 1
        grant = await share.take(priority)
        assert 0 < grant.wait <= 10 * fleet_size / rate + 1e-6
        assert not grant.paused
        clock.now += grant.wait + 1e-6
        assert (await share.take(priority)).wait == 0


@pytest.mark.parametrize("rate", [0.01, 1 / 60])
async def test_the_less_urgent_leave_something(server: Server, connection: Connection, rate: float) -> None:
    """Of a burst of eight, refreshes leave five, pages two; on Redis and off it."""
    for one in (budget(connection, rate), budget(None, rate)):
        assert [await spent(one, priority) for priority in ("refresh", "page", "server")] == [3, 3, 2]
        assert [(await one.take(priority)).wait > 0 for priority in PRIORITIES] == [True] * 3


async def test_processes_share_one_budget(server: Server) -> None:
    """Together they have what one would have, by the server's clock."""
    rate, seconds = 100.0, 1.0
    async with connected(server.url) as one, connected(server.url) as two, connected(server.url) as three:
        fleet = [budget(connection, rate, fleet_size=3) for connection in (one, two, three)]
        for connection in (one, two, three):
            await eventually(connection)
        begun = time.monotonic()

        async def send(one: Budget) -> int:
            sent = 0
            while time.monotonic() < begun + seconds:
                grant = await one.take("server")
                sent += grant.wait == 0
                await asyncio.sleep(grant.wait)
            return sent

        sent = sum(await asyncio.gather(*(send(one) for one in fleet for _ in range(3))))
        elapsed = time.monotonic() - begun
        assert not any(connection.away for connection in (one, two, three))
    assert rate * seconds / 2 < sent <= rate * elapsed + BURST


async def test_without_redis_each_process_has_its_share() -> None:
    """Together they have the rate, and not a full burst each."""
    clock = Clock()
    fleet = [budget(rate=80, fleet_size=4, clock=clock) for _ in range(4)]
    assert [await spent(one, "server") for one in fleet] == [2] * 4
    sent = 0
    for _ in range(1000):
        clock.now += 0.001
        sent += sum([(await one.take("server")).wait == 0 for one in fleet])
    assert 76 <= sent <= 80


async def test_there_is_no_second_burst_when_redis_goes_away() -> None:
    """What Redis granted is charged to the share too, and no more than a burst of it."""
    with redises.server() as server:
        async with connected(server.url, clock=(clock := Clock())) as connection:
            await eventually(connection)
            one = budget(connection, rate=1000, clock=clock)
            granted = 0
            async with asyncio.timeout(20):
                while granted < 10 * BURST:
                    granted += (await one.take("server")).wait == 0
            server.stop()
            grant = await one.take("server")
            assert 0 < grant.wait <= 1 / 1000 + 1e-9
            clock.now += grant.wait + 1e-9
            assert [(await one.take("server")).wait > 0 for _ in range(2)] == [False, True]


async def test_a_share_does_not_wait_for_more_than_its_burst() -> None:
    """A process that had most of the fleet's calls from Redis begins with an empty share, not a debt."""
    bucket, tat = Bucket(8, 1), 0.0
    for _ in range(1000):
        tat = bucket.charge(tat, 1000.0)
    assert bucket.take(tat, 1000.0, "server")[0] == pytest.approx(1 / 8)


async def test_a_clock_that_is_set_back_stops_nobody_for_long(server: Server, connection: Connection) -> None:
    """By five minutes, on Redis' machine, or on that of its successor."""
    one = budget(connection, rate=80)
    assert (await one.take("server")).wait == 0
    ahead = int(server.client.get(TAT) or 0) + 300_000_000
    server.client.set(TAT, ahead)
    assert 0 < (await one.take("refresh")).wait <= BURST / 80


async def test_a_pause_is_everybodys(server: Server, connection: Connection) -> None:
    """Whoever is told waits for its end; a shorter one does not end it, a longer one lengthens it."""
    one, two = budget(connection), budget(connection)
    await one.pause(30)
    await two.pause(1)
    for process in (one, two, budget(connection)):
        grant = await process.take("server")
        assert grant.paused
        assert 25 < grant.wait <= 30
    await two.pause(60)
    grant = await budget(connection).take("server")
    assert 55 < grant.wait <= 60
    assert 0 < server.client.pttl(PAUSE) <= 60_000


async def test_a_pause_that_is_known_needs_no_redis() -> None:
    """Who paused, and who was told, go on waiting when it goes away; afterwards they send."""
    clock = Clock()
    with redises.server() as server:
        async with connected(server.url) as connection:
            await eventually(connection)
            one, two = (budget(connection, clock=clock) for _ in range(2))
            await one.pause(30)
            assert (await two.take("page")).paused
            server.stop()
            for process in (one, two):
                grant = await process.take("page")
                assert grant.paused
                assert 25 < grant.wait <= 30
            clock.now += 31
            assert [(await process.take("page")).wait for process in (one, two)] == [0, 0]


async def test_a_pause_that_is_over_is_none(server: Server, connection: Connection) -> None:
    """Nor one of no time."""
    one = budget(connection)
    for seconds in (0.0, -1.0):
        await one.pause(seconds)
    assert server.client.exists(PAUSE) == 0
    assert (await one.take("server")).wait == 0


async def test_calls_in_hand_save_the_asking(server: Server, connection: Connection) -> None:
    """Each once; a moment later they are lost, and Redis is asked."""
    one = budget(connection, clock=(clock := Clock()))
    one.granted(2)
    assert [(await one.take(priority)).wait for priority in ("page", "refresh")] == [0, 0]
    assert server.client.exists(TAT) == 0
    one.granted(1)
    clock.now += SECONDS
    assert (await one.take("page")).wait == 0
    assert server.client.exists(TAT) == 1


async def test_calls_in_hand_are_charged_to_the_share(tmp_path: Path) -> None:
    """As what Redis is asked for."""
    async with connected(f"unix://{tmp_path}/none.sock") as away:
        one = budget(away, rate=0.01, clock=(clock := Clock()))
        one.granted(3)
        clock.now += SECONDS
        assert await spent(one, "server") == BURST - 3


async def test_no_call_in_hand_is_sent_in_a_pause(connection: Connection) -> None:
    """Nor is any granted by the way."""
    one = budget(connection)
    assert one.grantable is not None
    one.granted(1)
    await one.pause(30)
    assert (await one.take("server")).paused
    assert one.grantable is None


async def test_alone_nothing_is_granted_by_the_way() -> None:
    """There is nobody to do it."""
    assert budget(None).grantable is None


async def test_a_full_redis_leaves_the_share(server: Server, connection: Connection) -> None:
    """It cannot count, so that each process counts for itself."""
    server.client.config_set("maxmemory", "1")
    try:
        assert await spent(budget(connection, rate=0.01, fleet_size=4), "server") == 2
    finally:
        server.client.config_set("maxmemory", "0")


async def test_a_pause_that_begins_while_one_asks_holds(connection: Connection) -> None:
    """Nothing is sent before its end."""
    one = budget(connection)
    asking = asyncio.create_task(one.take("server"))
    await asyncio.sleep(0)
    await one.pause(5)
    assert (await asking).paused


async def test_a_pause_ends_although_the_clock_was_set_back(server: Server, connection: Connection) -> None:
    """One that would last longer than it was to last is from before."""
    server.client.set(PAUSE, "5000", px=300_000)
    assert not (await budget(connection).take("page")).paused


@pytest.mark.parametrize("fleet_size", [1, 4, 8, 9, 32, 80, 500])
async def test_shares_are_no_more_than_the_whole(fleet_size: int) -> None:
    """All together send the rate and the burst in a second, or at least hardly more than a call each."""
    clock = Clock()
    budgets = [budget(rate=80, fleet_size=fleet_size, clock=clock) for _ in range(fleet_size)]
    granted = 0
    for _ in range(100):
        granted += sum([(await one.take("server")).wait == 0 for one in budgets])
        clock.now += 0.01
    assert min(fleet_size, 60) <= granted <= max(80 + BURST + 2, 1.1 * fleet_size)
