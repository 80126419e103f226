"""The answers that the Profile API documentation shows, given for the calls that lead to them.

Only what a sandbox cannot share differs: the ids of sources and of profiles, when a call arrived, and what the page
leaves out or shortens of cursors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.examples import example
from tests.unit.sandbox.conftest import START

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Segment, StillClock

NOW = START.strftime("%Y-%m-%dT%H:%M:%S.000Z")
LAST_PAGE = {"url": "", "has_more": False, "next": ""}


async def test_the_quickstarts_traits(segment: Segment, clock: StillClock) -> None:
    """Explore the user's traits in the response: eight traits, and a cursor that names the next.

    Three of them are computed from what the user did: who bought for much, and looked at three products, is in all
    three audiences, and half a year later only in the one that has no window.
    """
    shown = example("quickstart_traits")
    computed = ("3_product_views_in_last_60_days", "all_users_order_completed", "big_spender")
    said = {name: value for name, value in shown["traits"].items() if name not in computed}
    await segment.identify(userId="1413639574", traits={**said, "browser": "Firefox"})
    for product_id in ("p1", "p2", "p3"):
        await segment.track("Product Viewed", {"product_id": product_id}, userId="1413639574")
    await segment.track("Order Completed", {"total": 250}, userId="1413639574")
    traits = await segment.traits("user_id:1413639574")
    assert [traits[name] for name in computed] == [True, True, True]

    clock.pass_by(days=181)
    await segment.http.post("/sandbox/clock", json={"advance": "0s"})  # which computes what follows for windows
    answer = (await segment.read("user_id:1413639574", "traits", "limit=8")).json()
    assert answer["traits"] == shown["traits"]
    assert answer["cursor"].pop("url").endswith(shown["cursor"].pop("url").rpartition("&")[2])
    assert answer["cursor"] == shown["cursor"] | {"limit": 8}


async def test_an_audience_is_no_trait_of_who_was_never_in_it(segment: Segment) -> None:
    """As the page's Bob has all his traits on one page, and no audience."""
    await segment.identify(userId="bob", traits=example("traits")["traits"])
    await segment.track("Product Viewed", userId="bob")
    assert await segment.traits("user_id:bob") == example("traits")["traits"]


async def test_an_error_body(segment: Segment) -> None:
    """Error Body: a collection's name has an invalid character."""
    answer = await segment.read("user_id:u1234", "traits", collection="users!")
    assert answer.status_code == 400
    assert answer.json() == example("error")


async def test_an_unknown_profile_of_every_route(segment: Segment) -> None:
    """404 Not Found, which each route shows."""
    for route in ("traits", "external_ids", "events", "metadata", "links"):
        answer = await segment.read("anonymous_id:a1234", route)
        assert answer.status_code == 404
        assert answer.json() == example("not_found")


async def test_a_profiles_traits(segment: Segment) -> None:
    """Get a profile's traits, by an anonymous id and by a user id."""
    traits = example("traits")["traits"]
    await segment.identify(userId="u1234", anonymousId="a1234", traits=traits)
    for external_id in ("anonymous_id:a1234", "user_id:u1234"):
        answer = (await segment.read(external_id, "traits")).json()
        assert answer == {"traits": traits, "cursor": LAST_PAGE | {"limit": 10}}


async def test_a_profiles_traits_told_verbosely(segment: Segment) -> None:
    """With `?verbose=true` enabled."""
    shown = example("verbose_traits")["traits"]
    await segment.identify(userId="u1234", traits={name: told["value"] for name, told in shown.items()})
    for verbose in ("true", "True"):
        answer = (await segment.read("user_id:u1234", "traits", f"verbose={verbose}")).json()
        assert answer == {
            "traits": {name: told | {"source_id": "sandbox", "updated_at": NOW} for name, told in shown.items()},
            "cursor": LAST_PAGE | {"limit": 10},
        }


async def test_a_profiles_external_ids(segment: Segment) -> None:
    """Get a Profile's External IDs: the first of two."""
    [shown] = example("external_ids")["data"]
    context = {"traits": {"crossDomainId": shown["id"]}}
    await segment.identify(userId="c0HN02fNe1", context=context, messageId=shown["first_message_id"])
    answer = (await segment.read("user_id:c0HN02fNe1", "external_ids", "limit=1")).json()
    assert answer["data"] == [shown | {"source_id": "sandbox", "created_at": NOW}]
    assert answer["cursor"]["has_more"]
    assert answer["cursor"]["next"]


async def test_a_profiles_events(segment: Segment) -> None:
    """Get a profile's events: one event, whose ids are those of its call."""
    [shown] = example("events")["data"]
    said = {name: shown[name] for name in ("context", "properties", "event")}
    said |= {"timestamp": "2025-11-19T00:16:35.663Z"}  # the page's own is longer ago than events are kept
    [user_id, _] = shown["external_ids"]  # the other is in the context
    call = said | {"userId": user_id["id"], "messageId": shown["message_id"]}
    assert (await segment.send("track", **call)).json() == {"success": True}
    segment_id = (await segment.read("user_id:c0HN02fNe1", "metadata")).json()["segment_id"]
    answer = (await segment.read("user_id:c0HN02fNe1", "events")).json()
    assert answer == {
        "data": [shown | said | {"source_id": "sandbox", "related": {"users": segment_id}}],
        "cursor": LAST_PAGE | {"limit": 10},
    }


async def test_a_profiles_metadata(segment: Segment) -> None:
    """Get a profile's metadata, beside which stands the name that Segment itself gives the profile."""
    shown = example("metadata")["metadata"]
    for member in ("first_message_id", "last_message_id"):
        await segment.identify(userId="u1234", messageId=shown[member])
    answer = (await segment.read("user_id:u1234", "metadata", "verbose=true")).json()
    assert answer.pop("segment_id").startswith("use_")
    assert answer == {
        "metadata": shown
        | {"created_at": NOW, "updated_at": NOW, "first_source_id": "sandbox", "last_source_id": "sandbox"}
    }


async def test_a_profiles_links(segment: Segment) -> None:
    """Get a profile's linked users or accounts: a user of two accounts."""
    shown = example("links")["data"]
    for link in shown:
        await segment.group(userId="u1234", groupId=link["external_ids"][0]["id"])
    answer = (await segment.read("user_id:u1234", "links")).json()
    answer["data"].sort(key=lambda link: link["external_ids"][0]["id"])
    ours = {"source_id": "sandbox", "created_at": NOW}
    assert answer == {
        "data": [link | {"external_ids": [one | ours for one in link["external_ids"]]} for link in shown],
        "cursor": LAST_PAGE | {"limit": 10},
    }


async def test_an_accounts_traits(segment: Segment) -> None:
    """Search an account profile by its group id."""
    await segment.group(userId="u1234", groupId="12345", traits={"name": "Initech"})
    answer = (await segment.read("group_id:12345", "traits", collection="accounts")).json()
    assert answer["traits"] == {"name": "Initech"}
