"""`personalize purge` and what `check-config` says of Redis, with a real Redis, sandbox and service."""

from collections.abc import Iterator, Mapping

import httpx
import pytest

from tests import redises
from tests.conftest import free_port
from tests.processes import personalize, wait_for_urls, wait_until
from tests.redises import Server, needs_redis
from tests.sites import WRITE_KEY, against, upstream_calls
from tests.unit.test_cli import ran

pytestmark = needs_redis

DEVICE = "5e0f0c5a-8d3c-4c57-9f0e-0d2f5b6a7c11"


@pytest.fixture(scope="module")
def redis_server() -> Iterator[Server]:
    with redises.server() as server:
        yield server


@pytest.fixture
def settings(sandbox_url: str, redis_server: Server) -> dict[str, str]:
    """Return what the service and the command are both told."""
    redis_server.client.flushall()
    return against(sandbox_url, REDIS_URL=redis_server.url, HASH_KEY="0123456789abcdef", POSTS_URL="")


def purged(settings: Mapping[str, str], *ids: str) -> str:
    ended = ran("purge", *ids, **{name.removeprefix("PERSONALIZE_"): value for name, value in settings.items()})
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_person_is_forgotten_under_every_id_and_in_every_process(
    client: httpx.Client, sandbox_url: str, settings: dict[str, str]
) -> None:
    """Also under an id that was not named, which Segment knows; the next page asks anew."""
    with personalize("serve", "--port", "0", "--workers", "2", environment=settings) as run:
        service = wait_for_urls(run, 1)[0]
        merge = {"userId": "ada", "anonymousId": DEVICE}
        client.post(f"{sandbox_url}/v1/identify", json=merge, auth=(WRITE_KEY, "")).raise_for_status()

        def asked() -> int:
            for who in ("user_id=ada", f"anonymous_id={DEVICE}", "user_id=nobody"):
                answer = client.get(f"{service}/api/recommended-posts?{who}")
                assert answer.status_code == 200
            return sum("traits" in call for call in upstream_calls(client, sandbox_url))

        def settled() -> bool:
            before = asked()
            return all(asked() == before for _ in range(10))

        wait_until(settled, "both workers to know everybody")
        before = asked()
        assert purged(settings, "user_id:ada") == "Forgotten, in Redis and in every process.\n"
        wait_until(lambda: asked() == before + 2, "both ids to be read anew, and nobody else")
        wait_until(settled, "both workers to know everybody again")
        assert asked() == before + 2


def test_without_segment_those_ids_are_forgotten_that_are_known_here(settings: dict[str, str]) -> None:
    """And the command says so."""
    named = {name.removeprefix("PERSONALIZE_"): value for name, value in settings.items()}
    ended = ran("purge", "user_id:ada", **{**named, "PROFILE_API_URL": f"http://127.0.0.1:{free_port()}"})
    assert ended.returncode == 0
    assert "Segment could not name the person's other ids" in ended.stderr


def test_a_person_that_segment_does_not_know_can_be_forgotten(settings: dict[str, str]) -> None:
    """It may have forgotten them first."""
    assert "Forgotten" in purged(settings, "user_id:nobody", "anonymous_id:somebody")


def test_what_redis_did_not_take_is_told(settings: dict[str, str]) -> None:
    """By its exit status, too."""
    named = {name.removeprefix("PERSONALIZE_"): value for name, value in settings.items()}
    ended = ran("purge", "user_id:ada", **{**named, "REDIS_URL": f"redis://127.0.0.1:{free_port()}"})
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "Try again." in ended.stderr


def test_without_redis_there_is_nothing_to_purge(settings: dict[str, str]) -> None:
    """Nothing outside a process could reach what it remembers."""
    named = {name.removeprefix("PERSONALIZE_"): value for name, value in settings.items()}
    ended = ran("purge", "user_id:ada", **{**named, "REDIS_URL": ""})
    assert ended.returncode == 2
    assert ended.stderr.startswith("PERSONALIZE_REDIS_URL is not set")


def test_an_id_that_is_none_is_refused(settings: dict[str, str]) -> None:
    """With what an id looks like."""
    named = {name.removeprefix("PERSONALIZE_"): value for name, value in settings.items()}
    ended = ran("purge", "ada", **named)
    assert ended.returncode == 2
    assert "type:value" in ended.stderr


@pytest.mark.parametrize(
    ("maxmemory", "policy", "warning"),
    [
        ("0", "noeviction", "has no memory limit"),
        ("100mb", "noeviction", "policy is noeviction"),
        ("100mb", "volatile-lru", "policy is volatile-lru"),
        ("100mb", "allkeys-lfu", ""),
    ],
)
def test_check_config_warns_of_a_redis_that_is_no_cache(
    settings: dict[str, str], redis_server: Server, maxmemory: str, policy: str, warning: str
) -> None:
    """A full one that evicts nothing keeps nothing new."""
    redis_server.client.config_set("maxmemory", maxmemory)
    redis_server.client.config_set("maxmemory-policy", policy)
    try:
        ended = ran("check-config", **{name.removeprefix("PERSONALIZE_"): value for name, value in settings.items()})
    finally:
        redis_server.client.config_set("maxmemory", "0")
        redis_server.client.config_set("maxmemory-policy", "noeviction")
    assert ended.returncode == 0
    assert warning in ended.stderr
    assert ("Warning: " in ended.stderr) == bool(warning)


def test_check_config_warns_of_what_is_away_and_of_too_much(settings: dict[str, str]) -> None:
    """It is no reason not to start."""
    named = {name.removeprefix("PERSONALIZE_"): value for name, value in settings.items()}
    named |= {"REDIS_URL": f"redis://127.0.0.1:{free_port()}", "RATE_LIMIT": "120"}
    ended = ran("check-config", **named)
    assert ended.returncode == 0
    assert "Redis does not answer" in ended.stderr
    assert "above the 100 requests/s" in ended.stderr
