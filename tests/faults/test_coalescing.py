"""Many ask about one visitor at once: Segment is asked once."""

import asyncio
from collections import Counter
from urllib.parse import urlsplit

import pytest

from tests.faults import load, visitors
from tests.faults.conftest import Serve
from tests.faults.redis_server import RedisServer
from tests.faults.service import Sandbox
from tests.processes import wait_until

CROWD = 500


@pytest.mark.alone
def test_a_crowd_makes_one_call_in_a_process(sandbox: Sandbox, serve: Serve) -> None:
    """Five hundred at once for one visitor whom nobody has asked about."""
    name = next(visitors.known)
    sandbox.misbehave(latency_ms=400)
    with serve(sandbox.url, DEADLINE="2s") as service:
        answers = load.closed(service.url, visitors.paths([name] * CROWD), clients=CROWD)
        assert visitors.holds(answers)
        assert all(body["personalized"] and not body["degraded"] for body in answers.bodies)
        assert service.numbers("personalize_sections_total", outcome="coalesced") > 0
    assert len(sandbox.calls()) == 1


@pytest.mark.alone
def test_a_crowd_makes_one_call_in_a_fleet(sandbox: Sandbox, serve: Serve, redis_server: RedisServer) -> None:
    """Four processes that share a Redis ask once between them."""
    name = next(visitors.known)
    with serve(sandbox.url, workers=4, DEADLINE="2s", REDIS_URL=redis_server.url) as service:
        service.warm_up()
        sandbox.misbehave(latency_ms=50)
        answers = load.closed(service.url, visitors.paths([name] * CROWD), clients=CROWD)
        assert visitors.holds(answers)
        assert Counter((body["personalized"], body["degraded"]) for body in answers.bodies) == {(True, False): CROWD}
    assert len(sandbox.calls(name)) == 1


@pytest.mark.alone
def test_without_redis_each_process_asks_once(sandbox: Sandbox, serve: Serve) -> None:
    """What nobody shares is read as often as there are processes, and no oftener."""
    sandbox.misbehave(latency_ms=400)
    with serve(sandbox.url, workers=4, DEADLINE="2s") as service:
        answers = load.closed(service.url, visitors.paths([next(visitors.known)] * CROWD), clients=CROWD)
        assert visitors.holds(answers)
    assert 1 <= len(sandbox.calls()) <= 4


def test_who_came_first_may_go(sandbox: Sandbox, serve: Serve) -> None:
    """The reader whose request began the call hangs up; those who wait with it have their answer."""
    name = next(visitors.known)
    sandbox.misbehave(latency_ms=500)
    with serve(sandbox.url, DEADLINE="2s") as service:
        asyncio.run(_asks_and_goes(service.url, visitors.path(name)))
        answers = load.closed(service.url, visitors.paths([name] * 20), clients=20)
        assert visitors.holds(answers)
        assert all(body["personalized"] for body in answers.bodies)
    assert len(sandbox.calls(name)) == 1


def test_a_failure_is_tried_once_more_for_all_and_is_not_kept(sandbox: Sandbox, serve: Serve) -> None:
    """A leader's failure is not its followers'; when theirs fails too they have defaults, and the next is served."""
    name = next(visitors.known)
    sandbox.misbehave(latency_ms=400, status=500)
    with serve(sandbox.url, DEADLINE="2s") as service:
        answers = load.closed(service.url, visitors.paths([name] * 50), clients=50)
        assert visitors.holds(answers)
        assert all(body["degraded"] for body in answers.bodies)
        assert len(sandbox.calls()) <= 6  # twice, each with a retry, and once more for who came after the first
        sandbox.behave()
        wait_until(lambda: service.is_well(name), "the visitor to be known", 10)


async def _asks_and_goes(url: str, path: str) -> None:
    parts = urlsplit(url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    await writer.drain()
    await asyncio.sleep(0.1)  # the request is under way: the sandbox answers it after half a second
    writer.close()
    await writer.wait_closed()


@pytest.mark.alone  # a call in hand is good for 20 ms
def test_whom_nobody_knows_costs_one_look_before_the_read(
    sandbox: Sandbox, serve: Serve, redis_server: RedisServer
) -> None:
    """The right to read and a call of the budget come with it; what was read is written, and the right given back."""
    with serve(sandbox.url, REDIS_URL=redis_server.url) as service:
        load.closed(service.url, visitors.paths([next(visitors.known)]), clients=1)
        wait_until(lambda: not redis_server.client.keys("*lock*"), "the service to be done")  # and to know the scripts
        redis_server.client.config_resetstat()
        answers = load.closed(service.url, visitors.paths([next(visitors.known)]), clients=1)
        assert [body["personalized"] for body in answers.bodies] == [True]
        wait_until(lambda: not redis_server.client.keys("*lock*"), "the service to be done")
        assert redis_server.calls()["evalsha"] == 3
