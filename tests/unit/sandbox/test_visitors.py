"""The visitors that are there from the start."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from personalize.sandbox.app import create_sandbox

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Segment, StillClock

READER = "anonymous_id:5e0f0c5a-8d3c-4c57-9f0e-0d2f5b6a7c11"


@pytest.mark.parametrize(
    ("visitor", "category"), [("user_id:ada", "Data & Analytics"), (READER, "Coffee"), ("user_id:grace", "Cycling")]
)
async def test_a_reader_reads_one_category_most(segment: Segment, visitor: str, category: str) -> None:
    """A seeded reader's favourite is clear: no other category is read half as often."""
    read = Counter(
        event["properties"]["category"] for event in await segment.events(visitor, "limit=100&include=Post Viewed")
    )
    assert read.most_common(1)[0][0] == category
    assert all(times * 2 < read[category] for other, times in read.items() if other != category)
    assert (await segment.traits(visitor))["favorite_blog_category"] == category


@pytest.mark.parametrize(("visitor", "bought_count"), [("user_id:ada", 2), (READER, 1)])
async def test_a_shopper_looked_at_more_than_was_bought(segment: Segment, visitor: str, bought_count: int) -> None:
    """A seeded shopper viewed at least six products that no order has; the bought ones were viewed, too."""
    events = await segment.events(visitor)
    viewed = {e["properties"]["product_id"] for e in events if e["event"] == "Product Viewed"}
    orders = [e["properties"] for e in events if e["event"] == "Order Completed"]
    bought = {product["product_id"] for order in orders for product in order["products"]}
    assert all(order["order_id"] for order in orders)
    assert len(bought) == bought_count
    assert bought <= viewed
    assert len(viewed - bought) >= 6


async def test_ada_has_traits_of_every_class(segment: Segment) -> None:
    """Ada has more traits than one page, an audience and a computed trait."""
    traits = await segment.traits("user_id:ada")
    assert len(traits) > 10
    assert (traits["first_name"], traits["big_spender"]) == ("Ada", True)


async def test_graces_two_ids_lead_to_one_profile(segment: Segment) -> None:
    """A seeded visitor who logged in is found by either id."""
    anonymous = await segment.traits("anonymous_id:9b1f4e2c-52a7-4b0d-8f6e-3a7c1d5e9024")
    assert anonymous == await segment.traits("user_id:grace")


async def test_somebody_is_known_without_a_favorite(segment: Segment) -> None:
    """A seeded profile has traits, and no event."""
    assert "favorite_blog_category" not in await segment.traits("user_id:linus")
    assert await segment.events("user_id:linus") == []


@pytest.mark.parametrize("visitor", ["user_id:ada", READER, "user_id:grace"])
async def test_seeded_events_are_recent_and_lead_to_the_site(segment: Segment, clock: StillClock, visitor: str) -> None:
    """Every seeded event is within 14 days, and the pages and pictures that it names are served."""
    events = await segment.events(visitor)
    assert all(event["timestamp"] >= (clock.now - timedelta(days=14)).isoformat() for event in events)
    links = {event["properties"].get(key) for event in events for key in ("url", "image_url")} - {None}
    for link in links:
        assert link.startswith("http://127.0.0.1:8100/")
        assert (await segment.http.get(link)).status_code == 200


async def test_a_database_file_outlives_the_process(tmp_path: Path, clock: StillClock) -> None:
    """With a file, what was tracked is there after a restart, and seeds are not sown again."""
    path = str(tmp_path / "sandbox.db")
    auth = ("sandbox-write-key", "")
    first = create_sandbox(database=path, clock=clock)
    async with first.router.lifespan_context(first), client(first) as http:
        await http.post("/v1/identify", json={"userId": "ada", "traits": {"first_name": "Eve"}}, auth=auth)
    clock.pass_by(days=20)
    again = create_sandbox(database=path, clock=clock)
    async with again.router.lifespan_context(again), client(again) as http:
        path = "/v1/spaces/sandbox/collections/users/profiles/user_id:ada/traits?include=first_name"
        answer = await http.get(path, auth=("sandbox-token", ""))
        assert answer.json()["traits"] == {"first_name": "Eve"}


async def test_without_a_clock_it_is_now() -> None:
    """A sandbox that is given no clock dates what it is sent with the time of day."""
    app = create_sandbox()
    before = datetime.now(UTC)
    async with app.router.lifespan_context(app), client(app) as http:
        await http.post("/v1/track", json={"userId": "kim", "event": "E"}, auth=("sandbox-write-key", ""))
        events = "/v1/spaces/sandbox/collections/users/profiles/user_id:kim/events"
        (event,) = (await http.get(events, auth=("sandbox-token", ""))).json()["data"]
    assert before - timedelta(milliseconds=1) <= datetime.fromisoformat(event["timestamp"]) <= datetime.now(UTC)


async def test_space_token_key_and_addresses_are_parameters(clock: StillClock) -> None:
    """A sandbox may have another space, token, write key and address."""
    app = create_sandbox(
        space="s1", access_token="t1", write_key="w1", base_url="http://demo.test/", service_url="http://svc.test/",
        clock=clock,
    )  # fmt: skip
    async with app.router.lifespan_context(app), client(app) as http:
        events = "/v1/spaces/s1/collections/users/profiles/user_id:ada/events?include=Post%20Viewed&limit=1"
        (event,) = (await http.get(events, auth=("t1", ""))).json()["data"]
        assert event["properties"]["url"].startswith("http://demo.test/blog/")
        page = (await http.get("/")).text
        assert 'src="http://svc.test/' in page
        assert 'data-write-key="w1"' in page
        assert "t1" not in page


def client(app: object) -> httpx.AsyncClient:
    """Return a client of an app."""
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # httpx spells ASGI's types its own way
    return httpx.AsyncClient(transport=transport, base_url="http://sandbox.test")
