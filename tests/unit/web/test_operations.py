"""What the operator asks, and what the metrics say after some traffic."""

from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from personalize.app.application import create_app
from personalize.testing import API_KEY, RecordingProfileApi, service
from personalize.testing.services import client_of
from tests.conftest import free_port
from tests.doubles import TOKEN, UUID, settings_of

CANARY = "canary-never-a-label"


@pytest.fixture
def api() -> RecordingProfileApi:
    return RecordingProfileApi({"user_id:ada": {"traits": {"favorite_blog_category": "tea"}}})


@pytest.fixture
async def client(api: RecordingProfileApi) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a service with a server's key."""
    async with service(api, API_KEYS=f"web:{API_KEY}") as one:
        yield one


async def counts(client: httpx.AsyncClient, name: str) -> dict[tuple[str, ...], float]:
    """Return a metric's values by its labels' values, in the order of the labels' names."""
    families = text_string_to_metric_families((await client.get("/metrics")).text)
    samples = (sample for family in families for sample in family.samples)
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for sample in samples
        if sample.name == name
    }


@pytest.mark.parametrize(("path", "status"), [("/livez", "alive"), ("/readyz", "ready")])
async def test_the_service_says_how_it_is(
    path: str, status: str, client: httpx.AsyncClient, api: RecordingProfileApi
) -> None:
    """Nobody may keep it, and Segment is not asked: an outage there is no reason to restart here."""
    api.failure = httpx.ConnectError("away")
    answered = await client.get(path)
    assert (answered.status_code, answered.json()) == (200, {"status": status})
    assert answered.headers["Cache-Control"] == "no-store"
    assert api.calls == []


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/plain", "text/plain"),
        ("*/*", "text/plain"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text"),
        ("application/openmetrics-text; version=none", "text/plain"),
        ("application/openmetrics-text; version=abc; escaping=foo", "text/plain"),
    ],
)
async def test_metrics_come_as_the_scraper_likes(accept: str, content_type: str, client: httpx.AsyncClient) -> None:
    """Prometheus' own format, or OpenMetrics for who asks; nobody may keep them."""
    answered = await client.get("/metrics", headers={"Accept": accept})
    assert answered.headers["Content-Type"].split(";")[0] == content_type
    assert answered.headers["Cache-Control"] == "no-store"


@pytest.mark.counts_requests
async def test_every_answer_is_counted_by_outcome(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """One request, one count, under the recipe's name and a word for how it went; all are timed."""
    posts = "/api/recommended-posts"
    await client.get(f"{posts}?user_id=ada")
    await client.get(f"{posts}?user_id=ada")
    await client.get(f"{posts}?user_id=nobody")
    await client.get(f"{posts}?user_id=ada&limit=0")
    await client.get(f"{posts}?user_id=ada", headers={"Authorization": "Bearer no"})
    await client.get("/api/last-viewed-not-purchased?user_id=ada")
    api.failure = httpx.Response(503)
    await client.get(f"{posts}?user_id=away")
    await client.get("/livez")
    assert await counts(client, "personalize_requests_total") == {
        ("fresh", "recommended-posts"): 2,
        ("negative", "recommended-posts"): 1,
        ("invalid", "recommended-posts"): 1,
        ("denied", "recommended-posts"): 1,
        ("default", "recommended-posts"): 1,
        ("denied", "last-viewed-not-purchased"): 1,
    }
    assert await counts(client, "personalize_request_seconds_count") == {
        ("recommended-posts",): 6,
        ("last-viewed-not-purchased",): 1,
    }
    assert await counts(client, "personalize_upstream_requests_total") == {
        ("ok", "traits"): 1,
        ("not_found", "traits"): 1,
        ("server_fault", "traits"): 2,  # it failed fast, and so was tried a second time
    }


async def test_who_makes_up_names_makes_no_labels(client: httpx.AsyncClient) -> None:
    """However many recipes are asked for that there are not, they are one time series."""
    for number in range(50):
        await client.get(f"/api/{CANARY}-{number}?user_id=ada")
        await client.get(f"/{CANARY}-{number}")
    assert await counts(client, "personalize_requests_total") == {("unknown", "unknown"): 50}


async def test_nothing_of_a_caller_is_in_the_metrics(client: httpx.AsyncClient) -> None:
    """Neither ids nor parameters, nor keys, nor our own token."""
    await client.get(f"/api/recommended-posts?user_id={CANARY}&anonymous_id={UUID}")
    await client.get(f"/api/recommended-posts?{CANARY}={CANARY}")
    await client.get("/api/recommended-posts?user_id=u", headers={"Authorization": f"Bearer {CANARY}"})
    metrics = (await client.get("/metrics")).text
    assert not [secret for secret in (CANARY, UUID, API_KEY, TOKEN) if secret in metrics]


async def test_the_dependencies_are_told_in_words(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """As they were when they were last needed; nobody is asked for it, and nobody may keep it."""
    api.failure = httpx.Response(503)
    for number in range(5):
        await client.get(f"/api/recommended-posts?user_id=u{number}")
    asked = len(api.calls)
    answered = await client.get("/status")
    assert answered.json() == {
        "status": "ready",
        "version": version("personalize"),
        "dependencies": {
            "profile_api": "keeps failing, and is tried every few seconds",
            "redis": "not configured",
        },
    }
    assert answered.headers["Cache-Control"] == "no-store"
    assert len(api.calls) == asked


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        (httpx.Response(401), "refuses the access token"),
        (httpx.Response(429, headers={"Retry-After": "30"}), "paused: its rate limit is spent"),
        (None, "answers, or was not asked yet"),
    ],
)
async def test_segment_has_a_word_for_each_trouble(
    failure: httpx.Response | None, word: str, client: httpx.AsyncClient, api: RecordingProfileApi
) -> None:
    """Which says what to look at."""
    api.failure = failure
    await client.get("/api/recommended-posts?user_id=u")
    assert (await client.get("/status")).json()["dependencies"]["profile_api"] == word


async def test_where_dependencies_are_is_nobodys_business(api: RecordingProfileApi, tmp_path: Path) -> None:
    """Neither addresses nor secrets are in the words, whatever is away."""
    feed = tmp_path / "posts.json"
    feed.write_text('[{"title": "Tea", "url": "https://blog.example.com/tea"}]', encoding="utf-8")
    redis = f"redis://:{CANARY}@127.0.0.1:{free_port()}"
    async with service(
        api, REDIS_URL=redis, POSTS_URL=str(feed), PRODUCTS_URL=f"http://127.0.0.1:{free_port()}"
    ) as one:
        for number in range(5):
            await one.get(f"/api/recommended-posts?user_id=u{number}")
        told = (await one.get("/status")).json()["dependencies"]
    assert told.pop("posts").startswith("1 items, loaded ")
    assert told == {
        "profile_api": "answers, or was not asked yet",
        "redis": "away: left alone for a second at a time",
        "products": "not loaded yet",
    }


@pytest.mark.counts_requests
async def test_what_is_new_is_counted_where_it_happens(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """Routes by their templates, recipes by their time, the budget by who was asked, the breaker by its openings."""
    await client.get("/api/recommended-posts?user_id=ada")
    await client.get(f"/{CANARY}")
    assert await counts(client, "personalize_http_responses_total") == {
        ("/api/{recipe}", "200"): 1,
        ("other", "404"): 1,
    }
    assert await counts(client, "personalize_recipe_seconds_count") == {("recommended-posts",): 1}
    assert await counts(client, "personalize_budget_asks_total") == {("granted", "own"): 1}
    assert await counts(client, "personalize_budget_rate") == {(): 80}
    assert await counts(client, "personalize_workers") == {(): 1}
    api.failure = httpx.Response(429, headers={"Retry-After": "30"})
    await client.get("/api/recommended-posts?user_id=a")
    await client.get("/api/recommended-posts?user_id=b")
    assert await counts(client, "personalize_upstream_pauses_total") == {(): 1}
    assert (await counts(client, "personalize_budget_asks_total"))["paused", "own"] >= 1


@pytest.mark.counts_requests
async def test_the_breakers_openings_are_counted(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """An alert may ask how often, and not only whether it happens to be open when it looks."""
    api.failure = httpx.Response(503)
    for number in range(8):
        await client.get(f"/api/recommended-posts?user_id=u{number}")
    assert await counts(client, "personalize_breaker_openings_total") == {(): 1}
    assert await counts(client, "personalize_breaker_open") == {(): 1}


async def test_a_service_that_was_told_to_go_is_not_ready(api: RecordingProfileApi) -> None:
    """It is alive and answers all the same."""
    app = create_app(settings_of(), transport=api.transport, leaving=lambda: True)
    async with client_of(app) as leaving:
        ready, alive, status = [await leaving.get(path) for path in ("/readyz", "/livez", "/status")]
        answered = await leaving.get("/api/recommended-posts?user_id=ada")
    assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
    assert (alive.status_code, answered.status_code) == (200, 200)
    assert status.json()["status"] == "draining"
