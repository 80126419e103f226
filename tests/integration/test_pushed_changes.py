"""Changes that Segment pushes and people who are erased, over two services, a real Redis and the sandbox."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import redises
from tests.processes import Running, personalize, wait_for_urls, wait_until
from tests.pushes import HOOK, SECRET, signature, told, written
from tests.redises import Server, needs_redis
from tests.sites import WRITE_KEY, Site, against, track, upstream_calls

pytestmark = needs_redis

KEY = "fake-key-of-the-shop"
AUTHORIZED = {"Authorization": f"Bearer {KEY}"}
CATEGORY = "favorite_blog_category"
KEYS = {"API_KEYS": f"shop:{KEY}", "HASH_KEY": "0123456789abcdef", "WEBHOOK_SECRET": SECRET}

HEARD_SECONDS = 2.0
"""Until when all processes know of an erasure: a second, and one for a busy machine."""


@dataclass(frozen=True)
class Fleet:
    """Two services of one deployment, their Redis, and the sandbox in Segment's place; it pushes to nobody."""

    one: str
    two: str
    sandbox: str
    redis: Server
    runs: tuple[Running, Running]

    @property
    def services(self) -> tuple[str, str]:
        return self.one, self.two

    def sections(self) -> set[Any]:
        """Return all that is kept of anybody."""
        client = self.redis.client
        return {name for key in client.scan_iter("personalize:{*}") for name in client.hkeys(key)} - {b"stamp", b"said"}

    def locks(self) -> list[bytes]:
        return list(self.redis.client.scan_iter("*:lock:*"))


@pytest.fixture(scope="module")
def services() -> Iterator[Fleet]:
    with redises.server() as server, personalize("sandbox", "--port", "0") as stand_in:
        sandbox = wait_for_urls(stand_in, 1)[0]
        named = against(sandbox, REDIS_URL=server.url, **KEYS)
        with (
            personalize("serve", "--port", "0", environment=named) as one,
            personalize("serve", "--port", "0", environment=named) as two,
        ):
            yield Fleet(wait_for_urls(one, 1)[0], wait_for_urls(two, 1)[0], sandbox, server, (one, two))


@pytest.fixture
def fleet(services: Fleet, client: httpx.Client) -> Fleet:
    """Return the services with a Redis that is empty and a sandbox as on its first start."""
    client.post(f"{services.sandbox}/sandbox/reset").raise_for_status()
    services.redis.client.flushall()
    return services


@pytest.fixture
def pushing(fleet: Fleet, client: httpx.Client) -> Iterator[Fleet]:
    """Return services of which the first one is told what changes."""
    target = {"url": fleet.one + HOOK, "secret": SECRET}
    client.post(f"{fleet.sandbox}/sandbox/webhook", json=target).raise_for_status()
    yield fleet
    client.delete(f"{fleet.sandbox}/sandbox/webhook").raise_for_status()


@pytest.fixture
def visitor() -> str:
    """Return a visitor whom no process has heard of."""
    return str(uuid4())


def reads(client: httpx.Client, fleet: Fleet, who: str, *services: str) -> list[str]:
    """Read about tea, as each service tells it: the categories of the first post, where it is personal."""
    answers = [client.get(f"{one}/api/recommended-posts?{who}&limit=1").json() for one in services or fleet.services]
    return [one["data"][0]["categories"][0] if one["personalized"] else "nobody" for one in answers]


def views(client: httpx.Client, fleet: Fleet | Site, visitor: str, category: str, times: int = 1) -> None:
    """Let a visitor read posts of a category."""
    for _ in range(times):
        track(client, fleet.sandbox, anonymousId=visitor, event="Post Viewed", properties={"category": category})


def calls(client: httpx.Client, fleet: Fleet, visitor: str) -> int:
    """Return how often Segment was asked about a visitor."""
    return sum(visitor in call for call in upstream_calls(client, fleet.sandbox))


def test_what_is_pushed_to_one_is_what_all_show(client: httpx.Client, pushing: Fleet, visitor: str) -> None:
    """Also of a visitor whom nobody knew; and who is known is not read again."""
    who = f"anonymous_id={visitor}"
    assert reads(client, pushing, who) == ["nobody", "nobody"]
    views(client, pushing, visitor, "Photography")
    wait_until(lambda: reads(client, pushing, who) == ["Photography"] * 2, "the first category")
    before = calls(client, pushing, visitor)
    views(client, pushing, visitor, "Travel", 2)
    wait_until(lambda: reads(client, pushing, who) == ["Travel"] * 2, "the next category")
    assert calls(client, pushing, visitor) == before


def test_what_nobody_has_signed_changes_nothing(client: httpx.Client, fleet: Fleet, visitor: str) -> None:
    """Without a signature, with one of something else, with another secret's, and a byte changed on the way."""
    who = f"anonymous_id={visitor}"
    views(client, fleet, visitor, "Photography")
    assert reads(client, fleet, who) == ["Photography"] * 2
    before = calls(client, fleet, visitor), fleet.redis.client.dbsize()
    body = written(told(CATEGORY, "Travel", anonymousId=visitor))
    delete = written({"type": "delete", "anonymousId": visitor})
    forged = [
        (body, {}),
        (body, signature(delete)),
        (body, signature(body, "another-fake-secret")),
        (body.replace(b"Travel", b"Cycling"), signature(body)),
        (delete, {}),
        (b"[" + delete + b"," + body + b"]", signature(body)),
    ]
    for content, headers in forged:
        answer = client.post(fleet.one + HOOK, content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "bad_signature")
    assert reads(client, fleet, who) == ["Photography"] * 2
    assert (calls(client, fleet, visitor), fleet.redis.client.dbsize()) == before


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=9,
)
members = st.dictionaries(
    st.sampled_from(["type", "userId", "anonymousId", "context", "traits", "properties", "timestamp", "extras"]),
    json_values | st.sampled_from(["identify", "track", "delete"]),
)


@given(batch=st.lists(members | json_values, max_size=4), noise=st.binary(max_size=60), whole=st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_breaks_the_webhook(
    services: Fleet, client: httpx.Client, batch: list[object], noise: bytes, *, whole: bool
) -> None:
    """Signed or not, JSON or not: it is taken or refused."""
    calls = [written({**told(CATEGORY, "x"), **one} if isinstance(one, dict) else one) for one in batch]
    body = b"[" + b",".join(calls) + b"]"
    signed = body if whole or not calls else calls[0]
    for content, headers in ((body, signature(signed)), (noise, signature(noise)), (body + noise, signature(signed))):
        answer = client.post(services.one + HOOK, content=content, headers=headers)
        assert answer.status_code in {202, 403}, answer.text


def test_whoever_is_erased_is_so_in_every_process(client: httpx.Client, fleet: Fleet, visitor: str) -> None:
    """Also under an id that was only seen together with the one that is named; and nothing of them is in the log."""
    together = f"user_id=u-{visitor}&anonymous_id={visitor}"
    merge = {"userId": f"u-{visitor}", "anonymousId": visitor}
    client.post(f"{fleet.sandbox}/v1/identify", json=merge, auth=(WRITE_KEY, "")).raise_for_status()
    views(client, fleet, visitor, "Photography")
    assert reads(client, fleet, together) == ["Photography"] * 2
    assert reads(client, fleet, f"anonymous_id={visitor}") == ["Photography"] * 2
    views(client, fleet, visitor, "Travel", 2)
    assert reads(client, fleet, f"anonymous_id={visitor}") == ["Photography"] * 2
    wait_until(lambda: len(list(fleet.redis.client.scan_iter("*:aliases"))) == 2, "the ids to be learnt")

    answer = client.delete(f"{fleet.two}/api/profiles?user_id=u-{visitor}", headers=AUTHORIZED)

    assert answer.status_code == 204
    assert fleet.sections() == set()
    assert list(fleet.redis.client.scan_iter("*:aliases")) == []
    wait_until(lambda: reads(client, fleet, f"anonymous_id={visitor}") == ["Travel"] * 2, "the others", HEARD_SECONDS)
    assert reads(client, fleet, together) == ["Travel"] * 2
    output = fleet.runs[1].output
    assert '"event": "person_erased"' in output
    assert '"by": "shop"' in output
    assert visitor not in output


def test_a_read_that_was_under_way_does_not_bring_the_person_back(
    client: httpx.Client, fleet: Fleet, visitor: str
) -> None:
    """Its page gets it, for it was asked before; nobody keeps it."""
    who = f"anonymous_id={visitor}"
    views(client, fleet, visitor, "Photography")
    client.post(f"{fleet.sandbox}/sandbox/faults", json={"route": "traits", "latency_ms": 2300, "times": 1})
    with ThreadPoolExecutor(1) as threads:
        page = threads.submit(client.get, f"{fleet.one}/api/recommended-posts?{who}&timeout_ms=2000")
        wait_until(fleet.locks, "the read to be under way")
        assert client.delete(f"{fleet.two}/api/profiles?{who}", headers=AUTHORIZED).status_code == 204
        assert fleet.locks(), "the read is still under way"
        assert page.result().status_code == 200
    wait_until(lambda: not fleet.locks(), "the end of the read")
    assert fleet.sections() == set()
    views(client, fleet, visitor, "Travel", 2)
    assert reads(client, fleet, who) == ["Travel"] * 2
    assert calls(client, fleet, visitor) == 2


@pytest.mark.parametrize("pushed", [False, True])
def test_while_redis_is_held_up_nobody_is_erased(
    client: httpx.Client, fleet: Fleet, visitor: str, *, pushed: bool
) -> None:
    """Whoever asks is told to ask again; then it is done."""
    who = f"anonymous_id={visitor}"
    views(client, fleet, visitor, "Photography")
    assert reads(client, fleet, who) == ["Photography"] * 2

    def erased() -> httpx.Response:
        if not pushed:
            return client.delete(f"{fleet.one}/api/profiles?{who}", headers=AUTHORIZED)
        body = written({"type": "delete", "anonymousId": visitor})
        return client.post(fleet.one + HOOK, content=body, headers=signature(body))

    fleet.redis.signal(signal.SIGSTOP)
    try:
        answer = erased()
    finally:
        fleet.redis.signal(signal.SIGCONT)
    assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (503, "not_erased", "1")
    wait_until(lambda: erased().is_success, "Redis to be back")
    assert fleet.sections() == set()


def test_with_the_sandbox_the_next_page_shows_what_has_changed(client: httpx.Client, site: Site) -> None:
    """`serve --sandbox` is wired so, for all that is cached stays fresh for five minutes; no browser keeps it."""
    visitor = str(uuid4())
    url = f"{site.service}/api/recommended-posts?anonymous_id={visitor}&limit=1"
    assert client.get(url).json()["personalized"] is False
    for category in ("Photography", "Travel", "Travel"):
        views(client, site, visitor, category)
    wait_until(lambda: "Travel" in client.get(url).json()["data"][0]["categories"], "what was pushed")
    assert client.get(url).headers["Cache-Control"] == "private, max-age=0"
    told_of = client.get(f"{site.sandbox}/sandbox/webhook").json()
    assert (told_of["signed"], told_of["failed"], told_of["delivered"] >= 2) == (True, 0, True)


def test_several_workers_that_share_nothing_say_what_they_cannot() -> None:
    """With a secret they do not start; with the sandbox alone they say what to expect."""
    named = against("http://127.0.0.1:1", WEBHOOK_SECRET=SECRET)
    with personalize("serve", "--port", "0", "--workers", "2", environment=named) as run:
        run.process.wait(20)
    assert run.process.returncode == 2
    assert run.output.startswith("PERSONALIZE_WEBHOOK_SECRET: a pushed change reaches one of several processes")
    with personalize("serve", "--sandbox", "--port", "0", "--sandbox-port", "0", "--workers", "2") as run:
        wait_for_urls(run, 2)
        wait_until(lambda: "cannot tell each other" in run.output, "the word")
