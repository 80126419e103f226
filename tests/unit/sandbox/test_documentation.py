"""The answers that the Profile API documentation shows, given for the calls that lead to them.

Only what a sandbox cannot share differs: the ids of sources and of profiles, and when a call arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.unit.sandbox.conftest import START

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Segment

NOW = START.strftime("%Y-%m-%dT%H:%M:%S.000Z")
LAST_PAGE = {"url": "", "has_more": False, "next": ""}


async def test_the_quickstarts_traits(segment: Segment) -> None:
    """Explore the user's traits in the response: eight traits, and a cursor that names the next."""
    shown = {
        "3_product_views_in_last_60_days": False,
        "Campaign Name": "Organic",
        "Campaign Source": "Organic",
        "Experiment Group": "Group A",
        "Invited User?": "Invited User?",
        "Referrering Domain": "http://duckduckgo.com",
        "all_users_order_completed": True,
        "big_spender": False,
    }
    await segment.identify(userId="1413639574", traits=shown | {"browser": "Firefox"})
    answer = (await segment.read("user_id:1413639574", "traits", "limit=8")).json()
    assert answer["traits"] == shown
    assert answer["cursor"].pop("url").endswith("&next=browser")
    assert answer["cursor"] == {"has_more": True, "next": "browser", "limit": 8}


async def test_an_error_body(segment: Segment) -> None:
    """Error Body: a collection's name has an invalid character."""
    answer = await segment.read("user_id:u1234", "traits", collection="users!")
    assert answer.status_code == 400
    assert answer.json() == {
        "error": {"code": "validation_error", "message": "The parameter `collection` has invalid character(s) `!`"}
    }


async def test_an_unknown_profile_of_every_route(segment: Segment) -> None:
    """404 Not Found, which each route shows."""
    for route in ("traits", "external_ids", "events", "metadata", "links"):
        answer = await segment.read("anonymous_id:a1234", route)
        assert answer.status_code == 404
        assert answer.json() == {"error": {"code": "not_found", "message": "Profile was not found."}}


async def test_a_profiles_traits(segment: Segment) -> None:
    """Get a profile's traits, by an anonymous id and by a user id."""
    traits = {"first_name": "Bob", "emails_opened_last_30_days": 33}
    await segment.identify(userId="u1234", anonymousId="a1234", traits=traits)
    for external_id in ("anonymous_id:a1234", "user_id:u1234"):
        answer = (await segment.read(external_id, "traits")).json()
        assert answer == {"traits": traits, "cursor": LAST_PAGE | {"limit": 10}}


async def test_a_profiles_traits_told_verbosely(segment: Segment) -> None:
    """With `?verbose=true` enabled."""
    await segment.identify(userId="u1234", traits={"first_name": "Bob", "emails_opened_last_30_days": 33})
    for verbose in ("true", "True"):
        answer = (await segment.read("user_id:u1234", "traits", f"verbose={verbose}")).json()
        assert answer == {
            "traits": {
                "first_name": {"value": "Bob", "source_id": "sandbox", "updated_at": NOW},
                "emails_opened_last_30_days": {"value": 33, "source_id": "sandbox", "updated_at": NOW},
            },
            "cursor": LAST_PAGE | {"limit": 10},
        }


async def test_a_profiles_external_ids(segment: Segment) -> None:
    """Get a Profile's External IDs: the first of two."""
    cross_domain_id = "1d1cd931-bc7d-4e39-a1a7-61563296fb15"
    message_id = "ajs-0af8675aa114c759210a76b2baea0a03-clean"
    context = {"traits": {"crossDomainId": cross_domain_id}}
    await segment.identify(userId="c0HN02fNe1", context=context, messageId=message_id)
    answer = (await segment.read("user_id:c0HN02fNe1", "external_ids", "limit=1")).json()
    assert answer["data"] == [
        {
            "source_id": "sandbox",
            "collection": "users",
            "id": cross_domain_id,
            "type": "cross_domain_id",
            "created_at": NOW,
            "encoding": "none",
            "first_message_id": message_id,
        }
    ]
    assert answer["cursor"]["has_more"]
    assert answer["cursor"]["next"]


async def test_a_profiles_events(segment: Segment) -> None:
    """Get a profile's events: one event, whose ids are those of its call."""
    said: dict[str, Any] = {
        "context": {
            "ip": "73.92.233.78",
            "library": {"name": "analytics.js", "version": "3.2.5"},
            "page": {
                "path": "/docs/connections/spec/ecommerce/v2/",
                "referrer": "https://www.google.com/",
                "search": "",
                "title": "Spec: V2 Ecommerce Events Documentation - Segment",
                "url": "https://segment.com/docs/connections/spec/ecommerce/v2/",
            },
            "traits": {"crossDomainId": "1d1cd931-bc7d-4e39-a1a7-61563296fb15"},
            "userAgent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_13_2) AppleWebKit/537.36 (KHTML, like Gecko)",
        },
        "timestamp": "2025-11-19T00:16:35.663Z",
        "properties": {"name": "Docs", "page_name": "Docs", "section": "Spec", "search": ""},
        "event": "Page Viewed",
    }
    message_id = "ajs-1a6064a677b3c16a01b8055c18f16e0b-clean"
    assert (await segment.send("track", userId="c0HN02fNe1", messageId=message_id, **said)).status_code == 200
    segment_id = (await segment.read("user_id:c0HN02fNe1", "metadata")).json()["segment_id"]
    answer = (await segment.read("user_id:c0HN02fNe1", "events")).json()
    ids = (("user_id", "c0HN02fNe1"), ("cross_domain_id", "1d1cd931-bc7d-4e39-a1a7-61563296fb15"))
    assert answer == {
        "data": [
            said
            | {
                "external_ids": [
                    {"collection": "users", "type": id_type, "id": value, "encoding": "none"} for id_type, value in ids
                ],
                "type": "track",
                "message_id": message_id,
                "source_id": "sandbox",
                "related": {"users": segment_id},
            }
        ],
        "cursor": LAST_PAGE | {"limit": 10},
    }


async def test_a_profiles_metadata(segment: Segment) -> None:
    """Get a profile's metadata, beside which stands the name that Segment itself gives the profile."""
    first, last = "ajs-32ed8dea3980c0c92ed2b8c9c8c5dfb5-clean", "ajs-1a6064a677b3c16a01b8055c18f16e0b-clean"
    await segment.identify(userId="u1234", messageId=first)
    await segment.identify(userId="u1234", messageId=last)
    answer = (await segment.read("user_id:u1234", "metadata", "verbose=true")).json()
    assert answer.pop("segment_id").startswith("use_")
    assert answer == {
        "metadata": {
            "created_at": NOW,
            "updated_at": NOW,
            "expires_at": None,
            "first_message_id": first,
            "first_source_id": "sandbox",
            "last_message_id": last,
            "last_source_id": "sandbox",
        }
    }


async def test_a_profiles_links(segment: Segment) -> None:
    """Get a profile's linked users or accounts: a user of two accounts."""
    for group_id in ("ADGCJE3Y8H", "ghdctIwnA"):
        await segment.group(userId="u1234", groupId=group_id)
    answer = (await segment.read("user_id:u1234", "links")).json()
    answer["data"].sort(key=lambda link: link["external_ids"][0]["id"])
    assert answer == {
        "data": [
            {
                "to_collection": "accounts",
                "external_ids": [
                    {
                        "id": group_id,
                        "type": "group_id",
                        "source_id": "sandbox",
                        "collection": "accounts",
                        "created_at": NOW,
                        "encoding": "none",
                    }
                ],
            }
            for group_id in ("ADGCJE3Y8H", "ghdctIwnA")
        ],
        "cursor": LAST_PAGE | {"limit": 10},
    }


async def test_an_accounts_traits(segment: Segment) -> None:
    """Search an account profile by its group id."""
    await segment.group(userId="u1234", groupId="12345", traits={"name": "Initech"})
    answer = (await segment.read("group_id:12345", "traits", collection="accounts")).json()
    assert answer["traits"] == {"name": "Initech"}
