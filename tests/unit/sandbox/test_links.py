"""Group calls, account profiles, and the Profile API's links route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Segment, StillClock


def linked(page: dict[str, Any]) -> list[list[str]]:
    """Return the external ids of the links of a page."""
    return [[one["id"] for one in link["external_ids"]] for link in page["data"]]


async def links(segment: Segment, external_id: str, collection: str = "users") -> list[list[str]]:
    """Return the external ids of all links of a profile."""
    pages = await segment.pages(external_id, "links", collection=collection)
    return [ids for page in pages for ids in linked(page)]


async def test_a_group_call_links_both_ways(segment: Segment) -> None:
    """The user's links lead to the account, and the account's to all ids of the user."""
    await segment.identify(userId="kim", anonymousId="a1")
    await segment.group(userId="kim", groupId="g1")
    assert await links(segment, "anonymous_id:a1") == [["g1"]]
    assert await links(segment, "group_id:g1", "accounts") == [["a1", "kim"]]
    (link,) = (await segment.read("group_id:g1", "links", collection="accounts")).json()["data"]
    assert link["to_collection"] == "users"


async def test_somebody_without_an_account_has_no_links(segment: Segment) -> None:
    """A profile without links answers with an empty list."""
    answer = await segment.read("user_id:linus", "links")
    assert answer.json() == {"data": [], "cursor": {"url": "", "has_more": False, "next": "", "limit": 10}}


async def test_links_come_in_the_order_in_which_they_were_made(segment: Segment, clock: StillClock) -> None:
    """The oldest link is first, and stays so when it is made again."""
    for group_id in ("g2", "g1", "g3", "g2"):
        await segment.group(userId="kim", groupId=group_id)
        clock.pass_by(minutes=1)
    assert await links(segment, "user_id:kim") == [["g2"], ["g1"], ["g3"]]


@pytest.mark.parametrize(("query", "sizes"), [("", [10, 10, 10, 1]), ("limit=20", [20, 11])])
async def test_following_the_cursors_gives_every_link_once(segment: Segment, query: str, sizes: list[int]) -> None:
    """A page has 10 links unless it may have up to 20, and the pages together hold every link once."""
    for number in range(31):
        await segment.group(userId=f"u{number}", groupId="g1")
    pages = await segment.pages("group_id:g1", "links", query, collection="accounts")
    assert [len(page["data"]) for page in pages] == sizes
    assert sorted(ids for page in pages for ids in linked(page)) == sorted([f"u{number}"] for number in range(31))


@pytest.mark.parametrize("query", ["limit=21", "limit=0", "next=g1"])
async def test_a_parameter_that_cannot_be_read_is_refused(segment: Segment, query: str) -> None:
    """A limit above 20 and an unknown cursor are 400s."""
    answer = await segment.read("user_id:ada", "links", query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "validation_error")


async def test_group_traits_are_the_accounts(segment: Segment) -> None:
    """A group call's traits are the account's alone; null removes one."""
    await segment.group(userId="kim", groupId="g1", traits={"plan": "pro", "employees": 3})
    await segment.group(userId="lee", groupId="g1", traits={"plan": None})
    answer = await segment.read("group_id:g1", "traits", collection="accounts")
    assert answer.json()["traits"] == {"employees": 3}
    assert await segment.traits("user_id:kim") == {}


async def test_an_account_has_no_events(segment: Segment) -> None:
    """An account's events are an empty list, not an error."""
    await segment.group(userId="kim", groupId="g1")
    assert (await segment.read("group_id:g1", "events", collection="accounts")).json()["data"] == []


async def test_an_account_is_no_user(segment: Segment) -> None:
    """A group id leads nowhere among the users, and a segment id only to its own collection."""
    await segment.group(userId="kim", groupId="g1")
    assert (await segment.read("group_id:g1", "traits")).status_code == 404
    metadata = (await segment.read("group_id:g1", "metadata", collection="accounts")).json()
    assert metadata["segment_id"].startswith("gro_")
    assert (await segment.read(metadata["segment_id"], "traits", collection="accounts")).status_code == 200
    assert (await segment.read(metadata["segment_id"], "traits")).status_code == 404


async def test_an_account_may_have_custom_ids(segment: Segment) -> None:
    """A custom id of the accounts' collection leads to the account of the call."""
    context = {"externalIds": [{"id": "c1", "type": "crm_id", "collection": "accounts", "encoding": "none"}]}
    await segment.group(userId="kim", groupId="g1", traits={"plan": "pro"}, context=context)
    answer = await segment.read("crm_id:c1", "traits", collection="accounts")
    assert answer.json()["traits"] == {"plan": "pro"}
    assert await segment.external_ids("crm_id:c1", collection="accounts") == ["crm_id:c1", "group_id:g1"]
    assert await segment.external_ids("user_id:kim") == ["user_id:kim"]


async def test_a_merged_user_has_the_links_of_both(segment: Segment, clock: StillClock) -> None:
    """When a visitor logs in, the accounts of both are the user's; one that both had is there once, since the older."""
    await segment.group(anonymousId="a1", groupId="g1")
    clock.pass_by(hours=1)
    await segment.group(userId="kim", groupId="g2")
    await segment.group(userId="kim", groupId="g1")
    await segment.identify(userId="kim", anonymousId="a1")
    assert await links(segment, "user_id:kim") == [["g1"], ["g2"]]
    assert len(await links(segment, "group_id:g1", "accounts")) == 1


async def test_acme_is_there_from_the_start(segment: Segment) -> None:
    """A seeded account has traits and two of the seeded visitors."""
    answer = await segment.read("group_id:acme", "traits", collection="accounts")
    assert answer.json()["traits"] == {
        "name": "Example & Co", "plan": "business", "employees": 42, "industry": "Publishing",
    }  # fmt: skip
    members = {ids[-1] for ids in await links(segment, "group_id:acme", "accounts")}
    assert members == {"ada", "grace"}
    assert await links(segment, "user_id:ada") == [["acme"]]
