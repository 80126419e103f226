"""The composition root: what it refuses, what it opens, and that it closes all of it."""

import asyncio
import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from structlog.typing import EventDict

from personalize import settings
from personalize.app.application import create_app
from personalize.errors import ConfigurationError, RecipeLoadError, SettingsError
from personalize.telemetry.metrics import Metrics
from personalize.testing import API_KEY, RecordingProfileApi, client_of, service
from tests.conftest import free_port
from tests.distributions import distribution
from tests.doubles import TOKEN, environment, settings_of

POSTS = "/api/recommended-posts?user_id=ada"


@pytest.fixture
def told() -> Iterator[list[EventDict]]:
    """Return the log's events as they come."""
    with capture_logs() as events:
        yield events


@pytest.fixture
def api() -> RecordingProfileApi:
    return RecordingProfileApi({"user_id:ada": {"traits": {"favorite_blog_category": "tea"}}})


def names(events: list[EventDict]) -> list[str]:
    return [event["event"] for event in events]


def recipe_reading(provider: str, folder: Path) -> Path:
    """Return the file of a recipe that reads a provider's items; it is declared in line 8."""
    file = folder / "own.py"
    file.write_text(
        '"""A recipe of this test."""\n\n'
        "from typing import Annotated\n\n"
        "from personalize import Items, Posts, recipe\n\n\n"
        '@recipe("own", access="public")\n'
        f'def own(items: Annotated[Posts, Items("{provider}")]) -> int:\n'
        '    """Count."""\n'
        "    return len(items)\n"
    )
    return file


def test_a_provider_that_there_is_not_is_refused(tmp_path: Path) -> None:
    """The sentence says where the recipe is, and which providers there are."""
    file = recipe_reading("podcasts", tmp_path)
    with pytest.raises(RecipeLoadError) as refused:
        create_app(settings_of(RECIPES=str(file)))
    assert str(refused.value) == (
        f"{file}:8: no provider is named 'podcasts'; there is posts, products, variants. "
        "Name one of them, or install what brings it"
    )


def test_a_recipe_that_cannot_be_loaded_is_refused(tmp_path: Path) -> None:
    """A service never starts with a part of its recipes."""
    with pytest.raises(RecipeLoadError, match=r"nowhere\.py: there is no such file"):
        create_app(settings_of(RECIPES=f"shipped,{tmp_path / 'nowhere.py'}"))


async def test_without_a_feed_there_are_no_posts(api: RecordingProfileApi, told: list[EventDict]) -> None:
    """The page gets an empty list, and the operator is told which setting is missing."""
    async with service(api) as client:
        answered = await client.get(POSTS)
    assert answered.json() == {"recipe": "recommended-posts", "personalized": True, "degraded": False, "data": []}
    [missing] = [event for event in told if event["event"] == "provider_missing"]
    assert (missing["provider"], missing["setting"]) == ("posts", "PERSONALIZE_POSTS_URL")


def test_what_no_recipe_asks_for_is_not_missing(tmp_path: Path, told: list[EventDict]) -> None:
    """Without a recipe that shows posts, nobody is told of a feed."""
    file = tmp_path / "hello.py"
    file.write_text("from personalize import recipe\n\n\n@recipe('hello')\ndef hello() -> str:\n    return 'hello'\n")
    create_app(settings_of(RECIPES=str(file)))
    assert told == []


async def test_a_feed_is_there_from_the_first_answer(api: RecordingProfileApi, tmp_path: Path) -> None:
    """The service opens warm; the provider's metrics are on the service's own registry."""
    feed = tmp_path / "feed.xml"
    feed.write_text(
        '<rss version="2.0"><channel><title>Blog</title><item><title>Tea</title>'
        "<link>https://blog.example.com/tea</link></item></channel></rss>"
    )
    async with service(api, POSTS_URL=f"file://{feed}", RECIPES=str(recipe_reading("posts", tmp_path))) as client:
        answered = await client.get("/api/own?user_id=ada")
        metrics = (await client.get("/metrics")).text
    assert answered.json()["data"] == 1
    assert 'personalize_provider_items{provider="posts"} 1.0' in metrics


async def test_products_are_polled_too(api: RecordingProfileApi, tmp_path: Path, told: list[EventDict]) -> None:
    """Without a catalogue nobody who has a default for it is told of one."""
    (tmp_path / "shop.csv").write_text("id,title\n1,Mug\n")
    recipes = str(recipe_reading("products", tmp_path))
    async with service(api, PRODUCTS_URL=str(tmp_path / "shop.csv"), RECIPES=recipes) as client:
        assert (await client.get("/api/own?user_id=ada")).json()["data"] == 1
    assert "provider_missing" not in names(told)


PROVIDER = """
class Films:
    name, version, entered = "{name}", 1, 0

    def __init__(self, settings):
        self.titles = settings["titles"].split()

    async def __aenter__(self):
        self.entered += 1

    async def __aexit__(self, *error):
        self.titles = []

    def items(self):
        return self.titles * self.entered
"""


@pytest.mark.parametrize("name", ["films", "posts"])
async def test_an_installed_provider_serves_its_items(
    api: RecordingProfileApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: list[EventDict]
) -> None:
    """It is told its settings and entered with the service; one may stand where a setting names nothing."""
    module = f"provider_of_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text(PROVIDER.format(name=name))
    distribution(tmp_path, "our-films", "personalize.providers", {name: f"{module}:Films"})
    monkeypatch.syspath_prepend(tmp_path)
    named = {f"PROVIDER_{name.upper()}_TITLES": "Metropolis M", "RECIPES": str(recipe_reading(name, tmp_path))}
    async with service(api, **named) as client:
        assert (await client.get("/api/own?user_id=ada")).json()["data"] == 2
    assert "provider_missing" not in names(told)


def test_a_setting_for_no_provider_is_refused() -> None:
    """It would silently do nothing."""
    with pytest.raises(SettingsError, match="PERSONALIZE_PROVIDER_FILMS_PATH is of no installed provider"):
        create_app(settings_of(PROVIDER_FILMS_PATH="/films"))


def test_making_an_application_opens_nothing(api: RecordingProfileApi) -> None:
    """There is no event loop, no thread and no call before its lifespan begins."""
    threads = threading.active_count()
    create_app(settings_of(REDIS_URL="redis://127.0.0.1:1", HASH_KEY="h" * 16), transport=api.transport)
    assert threading.active_count() == threads
    assert api.calls == []


class Hanging(httpx.AsyncBaseTransport):
    """A Profile API that never answers, and knows whether it was closed and its requests given up."""

    def __init__(self) -> None:
        self.given_up = 0
        self.closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up += 1
        raise AssertionError

    async def aclose(self) -> None:
        self.closed = True


async def test_the_lifespan_closes_everything(tmp_path: Path, told: list[EventDict]) -> None:
    """A read that outlived its request, the feed's polling, the pools: nothing is left, and the log says so."""
    upstream = Hanging()
    feed = tmp_path / "feed.xml"
    feed.write_text('<rss version="2.0"><channel><title>Blog</title></channel></rss>')
    app = create_app(settings_of(POSTS_URL=str(feed), DEADLINE="50ms"), transport=upstream)
    async with client_of(app) as client:
        answered = await client.get(POSTS)
        assert (answered.status_code, answered.json()["degraded"]) == (200, True)
        assert {task.get_name() for task in asyncio.all_tasks()} > {"read traits", "provider posts"}
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert (upstream.given_up, upstream.closed) == (1, True)
    assert [name for name in names(told) if name.startswith("service")] == ["service_started", "service_stopped"]
    for thread in threading.enumerate():
        if thread.name.startswith("recipe"):
            thread.join(5)
            assert not thread.is_alive()


async def test_a_start_that_fails_closes_what_was_opened(tmp_path: Path) -> None:
    """Whoever cancels the start leaves no task behind."""
    feed = f"http://127.0.0.1:{free_port()}/feed.xml"
    app = create_app(settings_of(POSTS_URL=feed), transport=Hanging())
    start = asyncio.create_task(app.router.lifespan_context(app).__aenter__())
    await asyncio.sleep(0)
    start.cancel()
    await asyncio.wait([start])
    assert start.cancelled()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(
    ("named", "host"),
    [
        ({}, "profiles.segment.com"),
        ({"REGION": "us"}, "profiles.segment.com"),
        ({"REGION": "eu"}, "profiles.euw1.segment.com"),
        ({"REGION": "eu", "PROFILE_API_URL": "https://proxy.example.com/v1"}, "proxy.example.com"),
    ],
)
async def test_where_profiles_are_read(named: dict[str, str], host: str, api: RecordingProfileApi) -> None:
    """The region's host unless another is named, with the token as the Basic user and no password."""
    async with service(api, **named) as client:
        await client.get(POSTS)
    [call] = api.requests
    assert (call.url.scheme, call.url.host, call.url.path.split("/")[1:4]) == (
        "https",
        host,
        ["v1", "spaces", "space1"],
    )
    assert call.headers["Authorization"] == "Basic " + b64encode(f"{TOKEN}:".encode()).decode()


async def test_a_profile_api_that_is_away_costs_the_page_nothing() -> None:
    """The service's own pool, and a port where nobody listens: 200, degraded."""
    app = create_app(settings_of(PROFILE_API_URL=f"http://127.0.0.1:{free_port()}"))
    async with client_of(app) as client:
        answered = await client.get(POSTS)
    assert (answered.status_code, answered.json()["degraded"]) == (200, True)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_redis_that_is_away_costs_the_page_nothing(
    api: RecordingProfileApi, tmp_path: Path, told: list[EventDict]
) -> None:
    """Every profile is read and answered; the operator is told of Redis, once."""
    redis_url = f"unix://{tmp_path}/nobody.sock"
    async with service(api, REDIS_URL=redis_url, HASH_KEY="0123456789abcdef") as client:
        answered = await client.get(POSTS)
        for _ in range(5):
            await client.get(POSTS, headers={"X-Request-Id": "again"}, params={"anonymous_id": "somebody-else"})
    assert (answered.status_code, answered.json()["personalized"], answered.json()["degraded"]) == (200, True, False)
    assert names(told).count("redis_away") == 1
    assert "hash_key_derived" not in names(told)
    assert str(tmp_path) not in str(told)


@pytest.mark.parametrize(
    ("named", "warned"),
    [({}, False), ({"HASH_KEY": "h" * 16}, False), ({"REDIS_URL": "redis://127.0.0.1:1"}, True)],
)
def test_a_shared_redis_asks_for_a_key(named: dict[str, str], *, warned: bool, told: list[EventDict]) -> None:
    """Who can read Redis and knows the space could guess ids from hashes with a derived key: that is told."""
    create_app(settings_of(**named))
    assert ("hash_key_derived" in names(told)) is warned


async def test_a_replaced_token_needs_no_restart(
    api: RecordingProfileApi, tmp_path: Path, told: list[EventDict]
) -> None:
    """The page after the refusal is personal again; neither token is told anywhere."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    new = b64encode(b"canary-of-a-new-token:").decode()

    async def handle(request: httpx.Request) -> httpx.Response:
        return await api.handle(request) if request.headers["Authorization"] == f"Basic {new}" else httpx.Response(401)

    environ = environment(ACCESS_TOKEN_FILE=str(file))
    del environ["PERSONALIZE_ACCESS_TOKEN"]
    async with client_of(create_app(settings.load(environ), transport=httpx.MockTransport(handle))) as client:
        file.write_text("canary-of-a-new-token")
        answers = [await client.get(path) for path in (POSTS, "/metrics", POSTS, "/metrics")]
    refused, alarm, accepted, calm = answers
    assert (refused.json()["degraded"], accepted.json()["personalized"]) == (True, True)
    assert "personalize_access_token_rejected 1.0" in alarm.text
    assert "personalize_access_token_rejected 0.0" in calm.text
    assert [name for name in names(told) if "token" in name] == ["access_token_rejected", "access_token_accepted"]
    shown = f"{told} {[(one.text, one.headers) for one in answers]}"
    assert not [secret for secret in (TOKEN, "canary", new) if secret in shown]


async def test_no_secret_is_told(api: RecordingProfileApi, told: list[EventDict]) -> None:
    """Neither in the log nor in an answer, whatever fails."""
    api.failure = httpx.ConnectError(f"cannot connect with {TOKEN}")
    async with service(api, API_KEYS=f"web:{API_KEY}") as client:
        answers = [await client.get(path) for path in (POSTS, "/metrics", "/readyz", "/api/x", "/nowhere")]
    shown = f"{told} {[(one.text, one.headers) for one in answers]}"
    assert not [secret for secret in (TOKEN, API_KEY, "user_id:ada", "user_id=ada") if secret in shown]


@pytest.mark.parametrize(
    ("named", "refused"),
    [
        ({"FLEET_SIZE": "2"}, True),
        ({"FLEET_SIZE": "1"}, False),
        ({}, False),
        ({"FLEET_SIZE": "2", "REDIS_URL": "redis://127.0.0.1:1"}, False),
    ],
)
def test_several_processes_need_redis_for_what_is_pushed(named: dict[str, str], *, refused: bool) -> None:
    """A change reaches one of them, and they could not tell each other."""
    loaded = settings_of(WEBHOOK_SECRET="fake-secret-of-the-webhook", **named)
    if not refused:
        create_app(loaded)
        return
    with pytest.raises(ConfigurationError, match=r"PERSONALIZE_WEBHOOK_SECRET: .* set PERSONALIZE_REDIS_URL"):
        create_app(loaded)


def test_what_alerts_look_for_is_counted_from_zero(tmp_path: Path) -> None:
    """Else the first burst of failures is where the counter begins, and no increase."""
    metrics = Metrics(CollectorRegistry())
    create_app(settings_of(RECIPES=str(recipe_reading("posts", tmp_path))), metrics=metrics)
    count = metrics.registry.get_sample_value
    assert count("personalize_recipe_failures_total", {"recipe": "own", "reason": "raised"}) == 0
    assert count("personalize_upstream_shed_total", {"reason": "breaker"}) == 0
    assert count("personalize_webhook_messages_total", {"kind": "other", "outcome": "refused"}) == 0
