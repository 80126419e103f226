"""Redis is away, slow, full or wrong: pages go on without it, and with it again once it is back."""

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import count, islice
from uuid import uuid4

import pytest

from personalize.fleet.connection import OPERATION_SECONDS
from personalize.fleet.patience import REQUEST_SECONDS
from tests.conftest import free_port
from tests.faults import load, visitors
from tests.faults.conftest import Serve
from tests.faults.proxy import Bandwidth, Down, Latency, LimitData, ResetPeer, Slicer, Timeout, Toxic, proxied
from tests.faults.redis_server import RedisServer
from tests.faults.service import Sandbox, Service, until
from tests.processes import personalize, wait_until
from tests.sites import against

LOG_LINES = 60
"""What a service may write while its Redis is away for seconds under load: some, not one a request."""

ROUNDS = 10
SLACK = 0.02
"""Seconds that a busy machine may add to the quickest of so many rounds."""

TROUBLES = {"killed": RedisServer.killed, "stopped": RedisServer.stopped}
Trouble = Callable[[RedisServer], AbstractContextManager[None]]


def is_up(service: Service) -> bool:
    return service.numbers("personalize_redis_up") == 1


def some(number: int) -> Iterator[str]:
    """Return the paths of known visitors whom nobody has asked about."""
    return visitors.paths(visitors.known.some(number))


@pytest.fixture
def service(sandbox: Sandbox, serve: Serve, redis_server: RedisServer) -> Iterator[Service]:
    """Return a service whose Redis works, and has been used."""
    with serve(sandbox.url, REDIS_URL=redis_server.url) as service:
        assert service.is_well(next(visitors.known))
        wait_until(redis_server.profiles, "a profile in Redis")
        yield service


def test_without_redis_the_service_starts(sandbox: Sandbox, serve: Serve) -> None:
    """Ready, and answering from Segment."""
    with serve(sandbox.url, REDIS_URL=f"redis://127.0.0.1:{free_port()}/0") as service:
        assert service.is_ready
        assert service.is_well(next(visitors.known))
        wait_until(lambda: service.ask(next(visitors.strangers)) and not is_up(service), "it to be missed", 5)


def test_a_redis_that_comes_late_is_used(sandbox: Sandbox, serve: Serve, redis_server: RedisServer) -> None:
    """It was away when the service started."""
    redis_server.stop()
    with serve(sandbox.url, REDIS_URL=redis_server.url) as service:
        assert service.is_well(next(visitors.known))
        redis_server.start()
        wait_until(lambda: service.knows(next(visitors.known)) and redis_server.profiles(), "Redis", 5)


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
@pytest.mark.calm
def test_redis_in_trouble_costs_little(service: Service, redis_server: RedisServer, trouble: Trouble) -> None:
    """The first answers wait a little for it, the later ones hardly; it is used again soon after its return."""
    with trouble(redis_server):
        first = load.steady(service.url, some(50), rate=50, seconds=1)
        later = load.steady(service.url, some(50), rate=50, seconds=1)
        numbers = service.numbers

    assert visitors.holds(first)
    assert visitors.holds(later)
    assert not any(body["degraded"] for body in (first.bodies + later.bodies))
    assert first.percentile(99) < 0.06 + 0.4
    assert later.percentile(50) < 0.05
    assert numbers("personalize_redis_up") == 0
    assert numbers("personalize_redis_failures_total") >= 1
    assert numbers("personalize_redis_skipped_total") >= 20
    assert len(service.run.lines) < LOG_LINES
    assert until(lambda: service.ask(next(visitors.strangers)) and is_up(service), "Redis", 10) < 2 + 1.5


@pytest.mark.calm
def test_those_who_are_known_do_not_notice(service: Service, redis_server: RedisServer) -> None:
    """What the process itself remembers needs no Redis."""
    name = next(visitors.known)
    assert service.is_well(name)
    with redis_server.stopped():
        answers = load.steady(service.url, visitors.paths([name] * 200), rate=200, seconds=1)
    assert visitors.holds(answers)
    assert answers.percentile(95) < 0.05
    assert not any(body["degraded"] for body in answers.bodies)


def test_a_restarted_redis_is_filled_again(service: Service, redis_server: RedisServer) -> None:
    """It comes back empty, and takes what is read from then on."""
    with redis_server.killed():
        assert service.is_well(next(visitors.known))
    wait_until(lambda: service.is_well(next(visitors.known)) and redis_server.profiles(), "a profile", 5)


def test_a_full_redis_is_counted(service: Service, redis_server: RedisServer) -> None:
    """Every write is refused: answers are as ever, the refusals are counted, and the log is not flooded."""
    with redis_server.full():
        answers = load.closed(service.url, some(100), clients=4)
        refused = service.numbers("personalize_redis_failures_total")
    assert visitors.holds(answers)
    assert all(body["personalized"] and not body["degraded"] for body in answers.bodies)
    assert refused > 0
    assert len(service.run.lines) < LOG_LINES
    assert service.is_ready


@pytest.mark.calm
def test_a_pausing_redis_costs_a_bounded_time(service: Service, redis_server: RedisServer) -> None:
    """It answers nobody for a while, then everybody."""
    redis_server.pause(0.8)
    answers = load.steady(service.url, some(40), rate=40, seconds=1)
    assert visitors.holds(answers)
    assert not any(body["degraded"] for body in answers.bodies)
    assert answers.percentile(99) < 0.1 + 0.4


@pytest.mark.parametrize(
    "toxic",
    [
        Latency(0.2, jitter=0.1),
        Bandwidth(200),
        Slicer(3, pause=0.01),
        LimitData(30),
        Timeout(),
        ResetPeer(),
        Down(),
    ],
    ids=lambda toxic: type(toxic).__name__.lower(),
)
@pytest.mark.calm
def test_a_bad_way_to_redis_is_survived(
    sandbox: Sandbox, serve: Serve, redis_server: RedisServer, toxic: Toxic
) -> None:
    """Whatever the network does to its answers, pages get theirs, and Redis is used again afterwards."""
    with proxied(redis_server.url) as (proxy, url), serve(sandbox.url, REDIS_URL=url) as service:
        assert service.is_well(next(visitors.known))
        with proxy.having(toxic):
            answers = load.steady(service.url, some(40), rate=40, seconds=1)
        assert visitors.holds(answers)
        assert not any(body["degraded"] for body in answers.bodies)
        assert answers.percentile(99) < 0.1 + 0.4
        wait_until(lambda: service.ask(next(visitors.strangers)) and is_up(service), "Redis", 5)


@pytest.mark.parametrize("ids", ["user_id={}", "user_id={}&anonymous_id={}"], ids=["one id", "two ids"])
@pytest.mark.alone
def test_a_slow_redis_costs_a_bounded_time(sandbox: Sandbox, serve: Serve, redis_server: RedisServer, ids: str) -> None:
    """In all, and not for each of the operations that visitors take whom nobody knows yet; still it is used."""
    unheard_of = (f"/api/mirror?{ids.format(next(visitors.strangers), uuid4())}" for _ in count())
    with proxied(redis_server.url) as (proxy, url), serve(sandbox.url, REDIS_URL=url) as service:
        load.closed(service.url, islice(unheard_of, ROUNDS), clients=1)  # connects
        swift = load.closed(service.url, islice(unheard_of, ROUNDS), clients=1)
        with proxy.having(Latency(0.9 * OPERATION_SECONDS)):
            slow = load.closed(service.url, islice(unheard_of, ROUNDS), clients=1)
            before = len(redis_server.profiles())
            assert service.is_well(next(visitors.known))
            wait_until(lambda: len(redis_server.profiles()) > before, "one more profile in Redis")
        assert is_up(service)
    assert not any(body["degraded"] for body in slow.bodies)
    assert slow.percentile(0) - swift.percentile(0) < REQUEST_SECONDS + SLACK


CORRUPT = {
    "empty": b"",
    "an unknown format": b"\x00\x01\x02",
    "no msgpack": b"\x01\xc1\xc1",
    "nothing but a format": b"\x01",
    "text": b"hello",
    "JSON of another shape": b"\x02[]",
    "a depth of many": b"\x02" + b"[" * 20_000,
    "a pickle": b"\x80\x04]\x94.",
}


def test_a_corrupt_value_is_a_miss(sandbox: Sandbox, serve: Serve, redis_server: RedisServer) -> None:
    """A replica that finds nonsense in Redis reads the profile from Segment, and mends what it found."""
    names = visitors.known.some(len(CORRUPT))
    with serve(sandbox.url, REDIS_URL=redis_server.url) as service:
        assert all(map(service.knows, names))
        wait_until(lambda: len(redis_server.profiles()) == len(names), "the profiles in Redis")
    good = {key: redis_server.sections(key) for key in redis_server.profiles()}
    for key, value in zip(good, CORRUPT.values(), strict=True):
        redis_server.client.hset(key, mapping=dict.fromkeys(good[key], value))

    with serve(sandbox.url, REDIS_URL=redis_server.url) as service:
        answers = load.closed(service.url, visitors.paths(names), clients=2)
        assert visitors.holds(answers)
        assert all(body["personalized"] and not body["degraded"] for body in answers.bodies)
        wait_until(lambda: _are_of_one_format(redis_server), "the values to be mended")
        assert "Traceback" not in service.run.output
    assert len(sandbox.calls()) == 2 * len(names)


def _are_of_one_format(server: RedisServer) -> bool:
    values = [value for key in server.profiles() for value in server.sections(key).values()]
    return len({value[:1] for value in values}) == 1 and b"known-" in b"".join(values)


def test_a_purge_reaches_every_process(sandbox: Sandbox, serve: Serve, redis_server: RedisServer) -> None:
    """What is remembered of a person is gone from Redis and from both replicas within a second."""
    name = next(visitors.known)
    with (
        serve(sandbox.url, REDIS_URL=redis_server.url) as one,
        serve(sandbox.url, REDIS_URL=redis_server.url) as other,
    ):
        assert one.is_well(name)
        assert other.is_well(name)
        assert len(sandbox.calls(name)) == 1
        assert len(redis_server.profiles()) == 1

        environment = against(sandbox.url, POSTS_URL="", RECIPES=str(visitors.RECIPES), REDIS_URL=redis_server.url)
        with personalize("purge", f"user_id:{name}", environment=environment) as purge:
            assert purge.process.wait(15) == 0, purge.output
        invalidated = "personalize_invalidations_total"
        assert until(lambda: one.numbers(invalidated) and other.numbers(invalidated), "the purge", 5) < 1 + 1
        assert redis_server.profiles() == []
        sandbox.misbehave(status=500)
        assert not one.knows(name)
        assert not other.knows(name)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_hangup_leaves_the_service_hearing(
    sandbox: Sandbox, serve: Serve, redis_server: RedisServer, workers: int
) -> None:
    """The application that closes then has nothing to say any more of who hears."""
    with serve(sandbox.url, workers=workers, REDIS_URL=redis_server.url) as service:
        wait_until(lambda: service.numbers("personalize_invalidations_heard") == 1, "messages that are heard")
        service.run.process.send_signal(signal.SIGHUP)
        wait_until(lambda: service.run.output.count("service_stopped") == workers, "the ends of the old applications")
        wait_until(lambda: service.numbers("personalize_invalidations_heard") == 1, "the new ones to hear")
        assert service.numbers("personalize_redis_up") == 1
