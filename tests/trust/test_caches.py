"""A shared cache in front, a real nginx: whatever it takes for the same question, nobody gets another's answer."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.doubles import UUID
from tests.processes import personalize, wait_for_urls
from tests.sites import API_KEY, Site
from tests.trust.nginx import caching

KEYS = {
    "the whole URL": "$scheme$proxy_host$request_uri",
    "the path alone": "$scheme$proxy_host$uri",
    "one for all": "everything",
}
AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}
RECOMMENDED = "/api/recommended-posts"
PAGE = "/api/personalize"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Return a service that lets browsers keep answers, so that a cache might think it could as well."""
    settings = {"PERSONALIZE_BROWSER_TTL": "60s", "PERSONALIZE_CACHE_TTL": "300s"}
    with personalize("serve", "--sandbox", "--port", "0", "--sandbox-port", "0", environment=settings) as run:
        service, sandbox = wait_for_urls(run, 2)
        yield Site(service, sandbox, run)


@pytest.fixture(params=KEYS)
def cached(request: pytest.FixtureRequest, site: Site, tmp_path: Path) -> Iterator[httpx.Client]:
    """Return a client of a service behind nginx."""
    with (
        caching(site.service, tmp_path, key=KEYS[request.param]) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=20) as client,
    ):
        yield client


@pytest.fixture
def direct(site: Site) -> Iterator[httpx.Client]:
    """Return a client of the service itself."""
    with httpx.Client(base_url=site.service, trust_env=False, timeout=20) as client:
        yield client


def test_two_visitors_never_share_a_body(cached: httpx.Client, direct: httpx.Client) -> None:
    """Each gets what the service would say; the second never what was said to the first."""
    for path, query in ((RECOMMENDED, {}), (PAGE, {"recipes": "recommended-posts,audience-content"})):
        asked = {name: {**query, "user_id": name} for name in ("ada", "nobody")}
        expected = {name: direct.get(path, params=one).content for name, one in asked.items()}
        assert expected["ada"] != expected["nobody"]
        for name in ("ada", "nobody", "ada", "nobody"):
            answer = cached.get(path, params=asked[name])
            assert (answer.content, answer.headers["X-Cache"]) == (expected[name], "MISS")


def test_what_a_server_was_told_is_not_told_to_anybody(cached: httpx.Client) -> None:
    """Nor is a refusal told to whoever may ask."""
    path = "/api/customer-context?user_id=ada"
    assert cached.get(path).status_code == 401
    told = cached.get(path, headers=AUTHORIZED)
    assert (told.status_code, told.json()["personalized"]) == (200, True)
    assert cached.get(path).status_code == 401
    assert "Cache-Status" not in cached.get(f"{RECOMMENDED}?user_id=ada").headers


def test_one_page_asked_by_two_bodies_is_two(cached: httpx.Client) -> None:
    """As a back end asks: the URL is the same."""
    bodies = [{"user_id": name, "recipes": [{"name": "recommended-posts"}]} for name in ("ada", "nobody", "ada")]
    answers = [cached.post(PAGE, json=body, headers=AUTHORIZED).json() for body in bodies]
    told = [answer["results"]["recommended-posts"]["personalized"] for answer in answers]
    assert told == [True, False, True]


@pytest.mark.parametrize("path", [f"{RECOMMENDED}/x.css", f"{RECOMMENDED}.css", f"{RECOMMENDED}/", "/api/x.css"])
def test_a_visitor_cannot_be_led_to_leave_an_answer_in_a_cache(cached: httpx.Client, path: str) -> None:
    """Nothing is a style sheet because its path ends like one; and the 404 is not kept for what may once be there."""
    for _ in range(2):
        answer = cached.get(path, params={"anonymous_id": UUID})
        assert (answer.status_code, answer.headers["Cache-Control"]) == (404, "no-store")
        assert answer.headers["X-Cache"] != "HIT"


@pytest.mark.parametrize(
    "query", ["user_id=ada&user_id=nobody", "user_id=ada&utm_source=x", "user_id=ada&limit=0", "user_id=%00", ""]
)
def test_what_is_asked_wrongly_is_not_kept(cached: httpx.Client, query: str) -> None:
    """A parameter that only one of two programs heeds would make a cache keep the wrong answer."""
    for _ in range(2):
        answer = cached.get(f"{RECOMMENDED}?{query}")
        assert (answer.status_code, answer.headers["X-Cache"]) == (400, "MISS")


def test_the_cache_does_keep_what_is_for_everybody(site: Site, tmp_path: Path) -> None:
    """So that the tests above show something; and the metrics are not among it."""
    with caching(site.service, tmp_path) as url, httpx.Client(base_url=url, trust_env=False) as client:
        for path in ("/openapi.json", "/docs", "/docs/docs.css"):
            assert [client.get(path).headers["X-Cache"] for _ in range(2)] == ["MISS", "HIT"]
        for path in ("/metrics", "/readyz", "/livez"):
            assert [client.get(path).headers["X-Cache"] for _ in range(2)] == ["MISS", "MISS"]
