"""Segment says 429: the whole fleet keeps away for as long as it is told to."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.faults import load, visitors
from tests.faults.conftest import Serve
from tests.faults.redis_server import RedisServer
from tests.faults.service import Sandbox, Service, moments
from tests.processes import wait_until

LONGEST_PAUSE = 60


def in_seconds() -> str:
    return "3"


def as_date() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=4), usegmt=True)  # whole seconds: 3 to 4


def refused(sandbox: Sandbox, service: Service, retry_after: str | None) -> None:
    """Let one request be refused by the Profile API."""
    sandbox.misbehave(status=429, times=1, **({} if retry_after is None else {"retry_after": retry_after}))
    assert service.ask(next(visitors.known))["degraded"]


@pytest.mark.calm
@pytest.mark.parametrize("retry_after", [in_seconds, as_date])
def test_the_fleet_pauses_until_then(
    sandbox: Sandbox, serve: Serve, redis_server: RedisServer, retry_after: Callable[[], str]
) -> None:
    """One process is refused: no process sends before the time is up, and both do afterwards."""
    with (
        serve(sandbox.url, REDIS_URL=redis_server.url) as one,
        serve(sandbox.url, REDIS_URL=redis_server.url) as other,
    ):
        refused(sandbox, one, retry_after())
        for service in (one, other):
            names = visitors.known.some(20)
            answers = load.closed(service.url, visitors.paths(names), clients=4)
            assert visitors.holds(answers)
            assert all(body["degraded"] for body in answers.bodies)
            assert service.numbers("personalize_upstream_shed_total", reason="paused") > 0
        for service in (one, other):
            name = next(visitors.known)
            wait_until(lambda service=service, name=name: service.is_well(name), "it to go on", 8)  # type: ignore[misc]
    first, second, *_ = moments(sandbox.calls())
    assert second - first >= 2.5


@pytest.mark.parametrize("retry_after", [None, "soon", "-5"])
def test_without_a_time_the_pause_is_short(sandbox: Sandbox, serve: Serve, retry_after: str | None) -> None:
    """Nothing that can be read as a time: the service keeps away for a moment and comes back by itself."""
    with serve(sandbox.url) as service:
        refused(sandbox, service, retry_after)
        name = next(visitors.known)
        wait_until(lambda: service.is_well(name), "a fresh answer", 15)


@pytest.mark.parametrize("retry_after", ["1000000000", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_pause_without_end_has_one(
    sandbox: Sandbox, serve: Serve, redis_server: RedisServer, retry_after: str
) -> None:
    """Nobody can tell the fleet to keep away for longer than a minute."""
    with serve(sandbox.url, REDIS_URL=redis_server.url) as service:
        refused(sandbox, service, retry_after)
        assert service.ask(next(visitors.known))["degraded"]
        assert service.is_ready
        paused = [key for key in redis_server.names() if b"pause" in key]
        assert len(paused) == 1
        assert 0 < redis_server.client.pttl(paused[0]) <= LONGEST_PAUSE * 1000
    assert len(sandbox.calls()) == 1


def test_what_is_known_is_served_in_the_pause(sandbox: Sandbox, serve: Serve) -> None:
    """A refusal costs nobody what was already read."""
    names = visitors.known.some(5)
    with serve(sandbox.url, CACHE_TTL="500ms", REVALIDATE_TTL="1s") as service:
        assert all(map(service.knows, names))
        refused(sandbox, service, "30")
        wait_until(lambda: all(service.ask(name)["degraded"] for name in names), "everyone's age")
        assert all(map(service.knows, names))
    assert len(sandbox.calls()) == len(names) + 1
