"""Crowds: what one client, or all of them together, may cost the others."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette

from personalize.app.application import create_app
from personalize.testing import API_KEY, RecordingProfileApi, client_of
from personalize.trust.limits import Client
from tests.connections import Clock
from tests.doubles import UUID, settings_of
from tests.loops import run
from tests.trust.floods import KEY, Street

POSTS = "/api/recommended-posts"
AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}
ADDRESS, ANOTHER = "198.51.100.7", "203.0.113.9"
ONE = [Client("address", ADDRESS)]
MANY = [Client("address", f"198.51.{number // 250}.{number % 250}") for number in range(5000)]

Answers = list[httpx.Response]


def application(api: RecordingProfileApi, clock: Clock | None = None, **named: str) -> Starlette:
    """Return a service by whose clock no time passes unless a test says so."""
    settings = settings_of(API_KEYS=f"web:{API_KEY},shop:{API_KEY}-2", **named)
    return create_app(settings, transport=api.transport, clock=clock or Clock())


@asynccontextmanager
async def from_address(
    app: Starlette, address: str, headers: Mapping[str, str] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client at the other end of a connection from this address."""
    transport = httpx.ASGITransport(app, client=(address, 49152))
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test", headers=headers) as client:
        yield client


async def strangers(client: httpx.AsyncClient, count: int, name: str = "stranger", **headers: str) -> Answers:
    """Ask about so many visitors whom nobody knows."""
    ids = [{"user_id": f"{name}-{number}"} for number in range(count)]
    return [await client.get(POSTS, params=one, headers=headers) for one in ids]


def degraded(answers: Answers) -> list[bool]:
    """Return whether each answer is; all of them are answers."""
    assert {one.status_code for one in answers} == {200}
    return [one.json()["degraded"] for one in answers]


@pytest.fixture
def api() -> RecordingProfileApi:
    return RecordingProfileApi({"user_id:ada": {"traits": {"favorite_blog_category": "tea"}}})


@pytest.mark.parametrize("clients", [ONE, MANY], ids=["one address", "5000 addresses"])
@pytest.mark.parametrize("answer_seconds", [0.05, 0.25])
def test_ten_thousand_random_ids_do_not_starve_api_keys(clients: list[Client], answer_seconds: float) -> None:
    """In ten seconds, while a server asks for twenty visitors a second: at least 99 % of them are served."""

    async def test() -> None:
        async with Street(answer_seconds=answer_seconds, rate=50).open() as street:
            await asyncio.gather(
                street.crowd(10_000, rate=1000, clients=clients, priority="page"),
                street.crowd(200, rate=20, clients=[KEY], priority="server"),
            )
            assert street.came[KEY] == 200
            assert street.served[KEY] >= 198
            assert len(street.sent) <= 80 * 11 + 10

    run(test())


def test_one_address_cannot_spend_the_budget() -> None:
    """Beside ten thousand random ids of one, another address' few visitors are served as if they were alone."""

    async def test() -> None:
        async with Street(answer_seconds=0.05, rate=50).open() as street:
            await asyncio.gather(
                street.crowd(10_000, rate=1000, clients=ONE, priority="page"),
                street.crowd(100, rate=10, clients=[Client("address", ANOTHER)], priority="page"),
            )
            assert street.served[ONE[0]] <= 50 * 11
            assert street.served[Client("address", ANOTHER)] >= 99

    run(test())


async def test_over_the_limit_a_browser_gets_its_default(api: RecordingProfileApi) -> None:
    """Twenty at once of five a second: no error, but nothing more is asked of Segment either, until a second later."""
    clock = Clock()
    app = application(api, clock, CLIENT_RATE_LIMIT="5")
    async with client_of(app), from_address(app, ADDRESS) as browser:
        first = await strangers(browser, 20, "first")
        clock.now += 1
        second = await strangers(browser, 20, "second")
    assert degraded(first) == degraded(second) == [False] * 5 + [True] * 15
    assert len(api.calls) == 10
    assert first[-1].headers["Cache-Control"] == "private, max-age=0"
    assert "Retry-After" not in first[-1].headers


async def test_what_is_known_costs_nothing(api: RecordingProfileApi) -> None:
    """Whoever has spent everything still gets what is cached, as fresh as it is."""
    app = application(api, CLIENT_RATE_LIMIT="1")
    async with client_of(app), from_address(app, ADDRESS) as browser, from_address(app, ANOTHER) as other:
        await other.get(POSTS, params={"user_id": "ada"})
        await strangers(browser, 3)
        answers = [await browser.get(POSTS, params={"user_id": "ada"}) for _ in range(50)]
    assert not any(degraded(answers))
    assert api.calls.count("traits user_id:ada") == 1


async def test_a_page_counts_as_one(api: RecordingProfileApi) -> None:
    """However many recipes it has and however many ids it names: all is read, or nothing."""
    app = application(api, CLIENT_RATE_LIMIT="1")
    page = {"recipes": "recommended-posts,last-viewed-not-purchased,audience-content"}
    async with client_of(app), from_address(app, ADDRESS) as browser:
        first = await browser.get("/api/personalize", params={**page, "anonymous_id": UUID})
        second = await browser.get("/api/personalize", params={**page, "anonymous_id": UUID.replace("5e", "6f")})
    assert {one["degraded"] for one in first.json()["results"].values()} == {False}
    assert {one["degraded"] for one in second.json()["results"].values()} == {True}
    assert len(api.calls) == 3


@pytest.mark.parametrize("recipes", [{}, {"recipes": "recommended-posts,customer-context"}])
async def test_over_the_limit_an_api_key_is_told_when_to_come_back(
    api: RecordingProfileApi, recipes: dict[str, str]
) -> None:
    """A back end can wait, and must not take a default for the truth (RFC 6585, 4)."""
    app, path = application(api, CLIENT_RATE_LIMIT="1"), "/api/personalize" if recipes else POSTS
    async with client_of(app), from_address(app, ADDRESS, AUTHORIZED) as server:
        await server.get(path, params={"user_id": "ada", **recipes})
        refused = await server.get(path, params={"user_id": "stranger", **recipes})
        known = await server.get(path, params={"user_id": "ada", **recipes})
        metrics = (await server.get("/metrics")).text
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["Cache-Control"] == "no-store"
    assert refused.json()["code"] == "too_many_requests"
    assert known.status_code == 200
    assert "stranger" not in "".join(api.calls)
    assert 'personalize_clients_limited_total{client="key"} 1.0' in metrics


async def test_each_api_key_has_its_own(api: RecordingProfileApi) -> None:
    """By its name, wherever it asks from: neither another key nor the browsers of that address spend it."""
    app = application(api, CLIENT_RATE_LIMIT="1")
    other = {"Authorization": f"Bearer {API_KEY}-2"}
    async with client_of(app), from_address(app, ADDRESS) as one, from_address(app, ANOTHER) as two:
        await strangers(one, 3)
        asked = [(one, AUTHORIZED), (two, AUTHORIZED), (one, other)]
        answers = [
            await client.get(POSTS, params={"user_id": f"u{n}"}, headers=h) for n, (client, h) in enumerate(asked)
        ]
    assert [answer.status_code for answer in answers] == [200, 429, 200]


async def test_a_spoofed_address_does_not_change_the_bucket(api: RecordingProfileApi) -> None:
    """Whoever is no trusted proxy says nothing about addresses that counts."""
    app = application(api, CLIENT_RATE_LIMIT="1", TRUSTED_PROXIES="10.0.0.0/8")
    async with client_of(app), from_address(app, ADDRESS) as browser:
        answers = [
            *await strangers(browser, 1),
            *await strangers(browser, 1, "second", **{"X-Forwarded-For": ANOTHER}),
            *await strangers(browser, 1, "third", **{"X-Forwarded-For": "10.0.0.1", "Forwarded": "for=192.0.2.1"}),
            *await strangers(browser, 1, "fourth", **{"X-Real-IP": "192.0.2.1", "X-Forwarded-For": f"{ANOTHER}, ::1"}),
        ]
    assert degraded(answers) == [False, True, True, True]


async def test_behind_a_trusted_proxy_each_client_has_its_own(api: RecordingProfileApi) -> None:
    """By what the proxy wrote last, and not by what the client had sent it."""
    app = application(api, CLIENT_RATE_LIMIT="1", TRUSTED_PROXIES="10.0.0.0/8")
    async with client_of(app), from_address(app, "10.0.0.1") as proxy:
        told = [ADDRESS, ANOTHER, ADDRESS, f"192.0.2.77, {ANOTHER}", f"192.0.2.78,{ADDRESS}, 10.0.0.2"]
        answers = [
            answer
            for number, said in enumerate(told)
            for answer in await strangers(proxy, 1, f"v{number}", **{"X-Forwarded-For": said})
        ]
    assert degraded(answers) == [False, False, True, True, True]


async def test_no_address_is_shown_anywhere(api: RecordingProfileApi, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither in metrics nor in logs nor in answers, of whoever has asked too much."""
    app = application(api, CLIENT_RATE_LIMIT="1")
    async with client_of(app), from_address(app, ADDRESS) as browser:
        answers = await strangers(browser, 5)
        shown = (await browser.get("/metrics")).text + "".join(f"{one.text}{one.headers}" for one in answers)
    assert 'personalize_clients_limited_total{client="address"}' in shown
    assert ADDRESS not in shown + "".join(capfd.readouterr())


async def test_api_keys_are_served_while_random_ids_pour_in(api: RecordingProfileApi) -> None:
    """Through all of the service: 2,000 ids of one address, and a server that asks for 50 others meanwhile."""
    app = application(api)
    async with client_of(app), from_address(app, ADDRESS) as flood, from_address(app, ANOTHER, AUTHORIZED) as server:

        async def pour(part: int) -> Answers:
            return await strangers(flood, 100, f"part-{part}")

        pouring = [asyncio.create_task(pour(part)) for part in range(20)]
        params = [{"user_id": f"customer-{number}", "timeout_ms": "2000"} for number in range(50)]
        answers = [await server.get(POSTS, params=one) for one in params]
        flooded = [answer for part in await asyncio.gather(*pouring) for answer in part]
    assert degraded(answers).count(False) >= 49
    assert degraded(flooded).count(True) >= 1950
