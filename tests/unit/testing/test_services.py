"""A whole service in memory, and the Profile API that stands in for Segment."""

from typing import Annotated

import httpx
import pytest

from personalize import Event, Events, ExternalId, Link, ProfileMetadata, Trait, recipe, testing
from personalize.providers.variants import EXAMPLE
from personalize.registry import Registry, load
from personalize.testing import API_KEY, NOW, RecordingProfileApi, event, run, service, visitor


@recipe("mine", access="server")
def mine(
    city: Annotated[str | None, Trait("city")] = None,
    views: Annotated[tuple[Event, ...], Events("Viewed")] = (),
) -> list[str | None]:
    """Return what is known."""
    return [city, *(view.text("name") for view in views)]


AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}


def test_all_is_sorted() -> None:
    """A name is found, and added, in one place."""
    assert testing.__all__ == sorted(testing.__all__)


async def test_a_service_answers_about_a_tests_visitors() -> None:
    """Over HTTP, from what the recording Profile API tells; each section costs one call, and the second answer none."""
    api = RecordingProfileApi({"user_id:ada": visitor(event("Viewed", name="Mug"), event("Bought"), city="Oslo")})
    async with service(api, Registry([mine])) as client:
        answers = [await client.get("/api/mine?user_id=ada", headers=AUTHORIZED) for _ in range(2)]
    assert [answer.json()["data"] for answer in answers] == [["Oslo", "Mug"]] * 2
    assert sorted(api.calls) == ["events user_id:ada", "traits user_id:ada"]


ADA = visitor(
    event("Product Viewed", product_id="p1", name="Mug", days_ago=1),
    event("Order Completed", products=[{"product_id": "p2"}]),
    ExternalId("user_id", "ada"),
    ExternalId("group_id", "acme"),
    Link("accounts", (ExternalId("group_id", "acme"),)),
    Link("users", (ExternalId("user_id", "ada"),)),
    ProfileMetadata("use_1", created_at=NOW),
    favorite_blog_category="Tea",
    big_spender=True,
    plan="pro",
)


@pytest.mark.parametrize("name", list(load(["shipped"])))
async def test_a_service_and_a_run_answer_the_same(name: str) -> None:
    """Whatever a recipe needs, both ways fill it with the same; and so they do for one whom nobody knows."""
    api = RecordingProfileApi({"user_id:ada": ADA, "group_id:ada": ADA})
    shipped = load(["shipped"])[name]
    kind = "group_id" if shipped.collection == "accounts" else "user_id"
    async with service(api) as client:
        known, unknown = [
            (await client.get(f"/api/{name}?{kind}={value}", headers=AUTHORIZED)).json() for value in ("ada", "bob")
        ]
    ran = [run(shipped, who, items={"variants": EXAMPLE}) for who in (ADA, None)]
    assert [known["data"], unknown["data"]] == [outcome.data for outcome in ran]
    assert (
        [known["personalized"], unknown["personalized"]] == [outcome.personalized for outcome in ran] == [True, False]
    )


async def test_who_is_not_there_is_unknown_and_a_failure_is_one() -> None:
    """As with Segment."""
    api = RecordingProfileApi()
    async with service(api, Registry([mine]), NEGATIVE_TTL="0s") as client:
        unknown = await client.get("/api/mine?user_id=ada", headers=AUTHORIZED)
        api.failure = httpx.Response(503)
        failed = await client.get("/api/mine?user_id=bob", headers=AUTHORIZED)
    assert [(one.json()["personalized"], one.json()["degraded"]) for one in (unknown, failed)] == [
        (False, False),
        (False, True),
    ]


async def test_the_environment_is_not_read() -> None:
    """A test means the same on every machine; keys and whatever else it says are its own."""
    async with service(RecordingProfileApi(), API_KEYS="other:another-key-of-a-test") as client:
        refused = await client.get("/api/recommended-posts?user_id=ada", headers=AUTHORIZED)
    assert refused.status_code == 401
