"""Whatever happens, nothing of a person and no secret is to be found where it does not belong."""

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx
import pytest

from tests import redises
from tests.processes import PYTHON, Running, personalize, wait_for_urls, wait_until, without_settings
from tests.pushes import HOOK, signature, told, written
from tests.redises import Server, needs_redis
from tests.sites import WRITE_KEY, against
from tests.tokens import bearer, minted
from tests.trust.doors import OPEN

pytestmark = [needs_redis, pytest.mark.timeout(120)]

DEVICE = "0c7d1a3e-52f4-4b0e-9a61-7f3e2d9c8b15"
PERSONAL = ("canary-user", DEVICE, "canary-trait", "canary-property", "canary-stranger", "canary-account")
"""Ids that are asked about, and what is known of those people."""

API_KEY = "canary-api-key-of-a-test"
IDENTITY_SECRET = "canary-identity-secret-of-a-test"
HASH_KEY = "canary-hash-key-of-a-test"
WEBHOOK_SECRET = "canary-webhook-secret-of-a-test"
REDIS_PASSWORD = "canary-redis-password"
ACCESS_TOKEN = "sandbox-token"
SECRETS = (API_KEY, IDENTITY_SECRET, HASH_KEY, WEBHOOK_SECRET, REDIS_PASSWORD, ACCESS_TOKEN)

OWN_RECIPE = '''
"""A recipe that fails with all that it knows of a person."""

from typing import Annotated

from personalize import Event, Events, Trait, recipe


@recipe("telling", access="public")
def telling(
    category: Annotated[str, Trait("favorite_blog_category")] = "",
    viewed: Annotated[tuple[Event, ...], Events("Product Viewed")] = (),
) -> str:
    """Fail, and say about whom."""
    raise LookupError(f"{category} {viewed}")
'''


@dataclass(frozen=True)
class Watched:
    """A running service, its settings, its Redis, and the process that logs."""

    url: str
    sandbox: str
    settings: Mapping[str, str]
    redis: Server
    run: Running


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Return a service to which everything has happened that can be told of."""
    own = tmp_path_factory.mktemp("recipes") / "own.py"
    own.write_text(OWN_RECIPE)
    with redises.server() as redis, personalize("sandbox", "--port", "0") as stand_in:
        redis.client.config_set("requirepass", REDIS_PASSWORD)
        sandbox = wait_for_urls(stand_in, 1)[0]
        settings = against(
            sandbox,
            ACCESS_TOKEN=ACCESS_TOKEN,
            REDIS_URL=f"redis://:{REDIS_PASSWORD}@{redis.address}/0",
            RECIPES=f"shipped,{own}",
            API_KEYS=f"shop:{API_KEY}",
            IDENTITY_KEYS=f"web:{IDENTITY_SECRET}",
            HASH_KEY=HASH_KEY,
            WEBHOOK_SECRET=WEBHOOK_SECRET,
        )
        with personalize("serve", "--port", "0", environment=settings) as run:
            one = Watched(wait_for_urls(run, 1)[0], sandbox, settings, redis, run)
            _live_through(one)
            yield one


def _live_through(one: Watched) -> None:
    """Let people be asked about, rightly and wrongly, changed, erased; and let Segment and Redis go."""
    with httpx.Client(base_url=one.url, timeout=10, trust_env=False) as client:
        _known(one.sandbox)
        proofs: tuple[dict[str, str], ...] = (
            {},
            bearer(API_KEY),
            bearer(minted("user_id:canary-user", secret=IDENTITY_SECRET)),
            bearer("canary-user"),
        )
        for headers in proofs:
            _ask(client, headers)
        call = written(told("favorite_blog_category", "canary-trait", userId="canary-user"))
        pushed = client.post(HOOK, content=call, headers=signature(call, WEBHOOK_SECRET))
        assert pushed.status_code == 202
        client.post(HOOK, content=call, headers=signature(call, "another"))
        client.post(HOOK, content=b'{"userId": "canary-user"', headers=signature(b"x"))
        erased = client.delete("/api/profiles", params={"user_id": "canary-user"}, headers=bearer(API_KEY))
        assert erased.status_code == 204
        _ask(client, bearer(API_KEY))
        for fault in (
            {"route": "traits", "kind": "garbage", "times": 3},
            {"route": "events", "status": 500, "times": 9},
        ):
            httpx.post(f"{one.sandbox}/sandbox/faults", json=fault).raise_for_status()
        _ask(client, bearer(API_KEY), user="canary-stranger")
        one.redis.client.config_set("requirepass", "another")
        one.redis.run("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        _ask(client, bearer(API_KEY), user="canary-stranger")
        one.redis.client.config_set("requirepass", REDIS_PASSWORD)


def _known(sandbox: str) -> None:
    """Let Segment know the canary."""
    with httpx.Client(base_url=sandbox, auth=(WRITE_KEY, ""), trust_env=False) as segment:
        for path, call in (
            ("identify", {"traits": {"first_name": "canary-trait", "favorite_blog_category": "canary-trait"}}),
            ("track", {"event": "Product Viewed", "properties": {"product_id": "canary-property"}}),
            ("group", {"groupId": "canary-account", "traits": {"plan": "canary-trait"}}),
        ):
            answer = segment.post(f"/v1/{path}", json={"userId": "canary-user", "anonymousId": DEVICE, **call})
            assert answer.json() == {"success": True}


def _ask(client: httpx.Client, headers: Mapping[str, str], user: str = "canary-user") -> None:
    """Ask every recipe, rightly and wrongly."""
    for name in ("recommended-posts", "customer-context", "last-viewed-not-purchased", "telling", "canary-stranger"):
        for ids in ({"user_id": user}, {"anonymous_id": DEVICE}, {"user_id": user, "anonymous_id": DEVICE}):
            client.get(f"/api/{name}", params=ids, headers=headers)
        client.get(f"/api/{name}", params={"user_id": "canary-user\0", "limit": "canary-stranger"}, headers=headers)
        client.get(f"/api/{name}", params={"external_id": "email:canary-user@example.com"}, headers=headers)
    client.get("/api/account-overview", params={"group_id": "canary-account"}, headers=headers)
    client.get("/api/personalize", params={"user_id": user, "recipes": "telling,customer-context"}, headers=headers)
    client.post("/api/personalize", json={"user_id": user, "recipes": [{"name": "canary-stranger"}]}, headers=headers)
    client.get("/canary-user", params={"user_id": user}, headers={**headers, "X-Request-Id": "a canary-user"})


def canaries(text: str) -> list[str]:
    """Return what of people and secrets is in a text."""
    return [word for word in (*PERSONAL, *SECRETS) if word in text]


def test_nothing_is_logged_of_anybody(watched: Watched) -> None:
    """Neither ids nor traits nor secrets, though everything was told that there is to tell."""
    told_of = ("recipe_failed", "person_erased", "redis_away", "service_started")
    wait_until(lambda: all(event in watched.run.output for event in told_of), f"{told_of} in the log")
    assert canaries(watched.run.output) == []


def test_nothing_is_counted_of_anybody(watched: Watched) -> None:
    """Nor told by any other route that everybody may ask."""
    with httpx.Client(base_url=watched.url, trust_env=False) as client:
        for path in sorted(OPEN):
            answer = client.get(path)
            assert answer.status_code == 200
            assert canaries(answer.text) == [], path


def test_redis_knows_nobody_by_name(watched: Watched) -> None:
    """Its keys are keyed hashes; what is kept under them has no ids but in what is known of the person."""
    keys = [key.decode() for key in watched.redis.client.scan_iter("*")]
    assert keys
    assert [canaries(key) for key in keys if canaries(key)] == []


def test_problems_do_not_say_again_what_was_asked(watched: Watched) -> None:
    """Of names that are right, and of all that is secret."""
    with httpx.Client(base_url=watched.url, trust_env=False) as client:
        for params in ({"user_id": "canary-user\x01"}, {"user_id": "canary-user", "limit": "canary-property"}):
            answer = client.get("/api/recommended-posts", params=params)
            assert answer.status_code == 400
            assert canaries(answer.text + str(answer.headers)) == []
        refused = client.get("/api/customer-context", params={"user_id": "canary-user"}, headers=bearer(f"{API_KEY}x"))
        failed = client.get("/api/telling", params={"anonymous_id": DEVICE})
        assert (refused.status_code, failed.status_code) == (401, 500)
        assert canaries(refused.text + failed.text) == []


def test_the_configuration_is_shown_without_secrets(watched: Watched) -> None:
    """By `check-config`, and by what it says of one that is wrong."""
    for named in (
        {},
        {"PERSONALIZE_API_KEYS": f"shop:{API_KEY},{API_KEY}", "PERSONALIZE_IDENTITY_KEYS": IDENTITY_SECRET},
    ):
        ran = subprocess.run(
            [PYTHON, "-m", "personalize", "check-config"],
            env={**without_settings(), **watched.settings, **named},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.stdout + ran.stderr
        assert canaries(ran.stdout + ran.stderr) == []
