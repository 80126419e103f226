"""Accounts: what was done for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Segment

FOR_ACME: dict[str, Any] = {"context": {"groupId": "g1"}}


async def account(segment: Segment, route: str, query: str = "") -> dict[str, Any]:
    """Return what a route says of the account that the tests are about."""
    answer = await segment.read("group_id:g1", route, query, collection="accounts")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_an_accounts_events_are_those_done_for_it(segment: Segment) -> None:
    """Of all its people, under the account's id beside the person's; each person keeps their own."""
    await segment.track("Opened", userId="kim", messageId="m1", **FOR_ACME)
    await segment.track("Closed", userId="lee", messageId="m2", **FOR_ACME)
    await segment.track("Left", userId="kim", messageId="m3")
    events = (await account(segment, "events"))["data"]
    assert sorted(event["event"] for event in events) == ["Closed", "Opened"]
    opened = next(event for event in events if event["event"] == "Opened")
    assert [(one["collection"], one["type"], one["id"]) for one in opened["external_ids"]] == [
        ("accounts", "group_id", "g1"),
        ("users", "user_id", "kim"),
    ]
    assert opened["related"] == {"accounts": (await account(segment, "metadata"))["segment_id"]}
    assert sorted(event["event"] for event in await segment.events("user_id:kim")) == ["Left", "Opened"]


async def test_an_event_for_an_account_counts_once(segment: Segment) -> None:
    """A repeated message changes nothing on either side."""
    for _ in range(2):
        await segment.track("Opened", userId="kim", messageId="m1", **FOR_ACME)
    assert len((await account(segment, "events"))["data"]) == 1
    assert len(await segment.events("user_id:kim")) == 1


async def test_an_event_alone_links_nobody(segment: Segment) -> None:
    """That is what a group call does."""
    await segment.track("Opened", userId="kim", **FOR_ACME)
    assert (await account(segment, "links"))["data"] == []


async def test_an_accounts_orders_are_computed(segment: Segment) -> None:
    """As the shipped declarations have it, and of no class but its own."""
    for name, total in (("kim", 20), ("lee", 22.5)):
        await segment.track("Order Completed", {"total": total}, userId=name, **FOR_ACME)
    assert (await account(segment, "traits", "class=computed_trait"))["traits"] == {"account_orders_total": 42.5}
    assert "account_orders_total" not in await segment.traits("user_id:kim")
