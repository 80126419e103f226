"""All shipped recipes on one page, against the sandbox: what they show, and what that costs upstream."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.processes import personalize, wait_for_urls
from tests.sites import API_KEY, Site, upstream_calls

SHIPPED = [
    "recommended-posts",
    "last-viewed-not-purchased",
    "customer-context",
    "event-timeline",
    "campaign-properties",
    "account-overview",
    "audience-content",
]
USER_ROUTES = ["events", "events", "external_ids", "links", "metadata", "traits", "traits", "traits"]
"""Of a user, for all seven: named events and all, named traits, all, and audiences."""

AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Return a service with its sandbox that remembers for as long as it would remember a space."""
    ages = {
        "PERSONALIZE_REVALIDATE_TTL": "600s",
        "PERSONALIZE_OVERRIDES": "last-viewed-not-purchased.ttl=60s",
    }
    with personalize("serve", "--sandbox", "--port", "0", "--sandbox-port", "0", environment=ages) as run:
        service, sandbox = wait_for_urls(run, 2)
        yield Site(service, sandbox, run)


def routes(calls: list[str], collection: str) -> list[str]:
    """Return the routes of the calls about a collection's profiles."""
    return sorted(call.partition("?")[0].rpartition("/")[2] for call in calls if f"/{collection}/" in call)


def page(client: httpx.Client, site: Site) -> dict[str, Any]:
    body = {"user_id": "ada", "group_id": "acme", "timeout_ms": 2000, "recipes": [{"name": name} for name in SHIPPED]}
    answer = client.post(f"{site.service}/api/personalize", json=body, headers=AUTHORIZED)
    assert answer.status_code == 200, answer.text
    results: dict[str, Any] = answer.json()["results"]
    return results


def test_a_page_of_all_recipes_reads_nothing_twice(client: httpx.Client, site: Site) -> None:
    """Cold, each section of each profile once; warm, none at all."""
    client.post(f"{site.sandbox}/sandbox/reset").raise_for_status()
    results = page(client, site)
    assert list(results) == SHIPPED
    told = {name: (one["status"], one["personalized"], one["degraded"]) for name, one in results.items()}
    assert told == dict.fromkeys(SHIPPED, ("ok", True, False))
    calls = upstream_calls(client, site.sandbox)
    assert len(calls) == len(set(calls))
    assert routes(calls, "users") == USER_ROUTES
    assert routes(calls, "accounts") == ["links", "traits"]
    page(client, site)
    assert upstream_calls(client, site.sandbox) == calls


def test_recipes_asked_at_once_share_what_is_read(client: httpx.Client, site: Site) -> None:
    """Seven requests of seven boxes cost what one page costs."""
    client.post(f"{site.sandbox}/sandbox/reset").raise_for_status()
    about = {"account-overview": "group_id=nobody"}
    urls = [f"{site.service}/api/{name}?{about.get(name, 'user_id=grace')}&timeout_ms=2000" for name in SHIPPED]
    with ThreadPoolExecutor(len(urls)) as threads:
        answers = list(threads.map(lambda url: client.get(url, headers=AUTHORIZED).json(), urls))
    assert [answer["recipe"] for answer in answers] == SHIPPED
    assert not any(answer["degraded"] for answer in answers)
    calls = upstream_calls(client, site.sandbox)
    assert len(calls) == len(set(calls))
    assert routes(calls, "users") == USER_ROUTES


def test_each_recipe_has_something_to_show(client: httpx.Client, site: Site) -> None:
    """Of the visitor and the account that the sandbox begins with."""
    shown = {name: one["data"] for name, one in page(client, site).items()}
    assert len(shown["recommended-posts"]) == 5
    assert shown["last-viewed-not-purchased"]
    context = shown["customer-context"]
    assert context["segment_id"].startswith("use_")
    assert "user_id:ada" in context["ids"]
    assert context["last_events"]
    assert [entry["timestamp"] for entry in shown["event-timeline"]] == sorted(
        (entry["timestamp"] for entry in shown["event-timeline"]), reverse=True
    )
    assert "favorite_blog_category" in shown["campaign-properties"]
    assert ["user_id:ada"] in [
        [one for one in ids if one.startswith("user_id:")] for ids in shown["account-overview"]["users"]
    ]
    assert shown["audience-content"]["name"] == "big-spender"


TRAITS_READERS = {
    "recommended-posts",
    "customer-context",
    "campaign-properties",
    "account-overview",
    "audience-content",
}


@pytest.mark.parametrize(
    ("route", "readers"),
    [
        ("events", {"last-viewed-not-purchased", "customer-context", "event-timeline"}),
        ("metadata", {"customer-context"}),
        ("traits", TRAITS_READERS),
    ],
)
def test_a_section_that_hangs_degrades_only_its_readers(
    client: httpx.Client, site: Site, route: str, readers: set[str]
) -> None:
    """The page is there by its deadline: the hanging calls would take longer than anybody waits."""
    client.post(f"{site.sandbox}/sandbox/reset").raise_for_status()
    for who in ("user_id=ada", "group_id=acme"):
        client.delete(f"{site.service}/api/profiles?{who}", headers=AUTHORIZED).raise_for_status()
    client.post(f"{site.sandbox}/sandbox/faults", json={"route": route, "latency_ms": 60_000}).raise_for_status()
    results = page(client, site)
    assert list(results) == SHIPPED
    assert {one["status"] for one in results.values()} == {"ok"}
    assert {name for name, one in results.items() if one["degraded"]} == readers
    assert {name for name, one in results.items() if not one["personalized"]} <= readers
