"""Sections that have no names to choose from: which calls they make, and what they become."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from personalize.model import Content, ExternalId, Link, ProfileMetadata, SectionName
from personalize.needs import WholeSpec
from personalize.profile_api.sections import MAX_PAGES
from tests.unit.profile_api.test_client import ADA, ONCE, Api, page

WHEN = "2026-11-20T10:00:00Z"


async def read(api: Api, section: SectionName) -> Content:
    return await api.reader.read("users", ADA, WholeSpec(section, 300), ONCE)


def listed(*data: dict[str, Any], next_page: str = "") -> httpx.Response:
    cursor = {"has_more": bool(next_page), "next": next_page}
    return httpx.Response(200, json={"data": list(data), "cursor": cursor})


def traits(next_page: str = "", **values: object) -> httpx.Response:
    return httpx.Response(200, json={"traits": values, "cursor": {"has_more": bool(next_page), "next": next_page}})


def asked(api: Api) -> list[dict[str, str]]:
    return [dict(request.url.params) for request in api.requests]


async def test_all_traits_are_read_page_by_page() -> None:
    """The largest pages there are, by `next` alone."""
    api = Api(traits(next_page="b", a=1), traits(b=[2]))
    assert await read(api, "all_traits") == {"a": 1, "b": [2]}
    assert asked(api) == [{"limit": "200"}, {"limit": "200", "next": "b"}]


async def test_audiences_are_those_that_somebody_is_in() -> None:
    """A false one was left, and what is no audience has no place here."""
    api = Api(traits(big_spender=True, left=False, odd="yes"))
    assert await read(api, "audiences") == ("big_spender",)
    assert asked(api) == [{"class": "audience", "limit": "200"}]


async def test_events_of_any_name_are_one_page() -> None:
    """Newest first."""
    api = Api(page("Viewed", "Ordered", next="more"))
    events = await read(api, "all_events")
    assert isinstance(events, tuple)
    assert len(events) == 2
    assert asked(api) == [{"limit": "100", "sort": "desc"}]


async def test_external_ids_are_types_and_values() -> None:
    """All pages of them."""
    one, other = {"type": "user_id", "id": "ada"}, {"type": "email", "id": "ada@example.com"}
    api = Api(listed(one, next_page="x"), listed(other))
    assert await read(api, "external_ids") == (ExternalId("user_id", "ada"), ExternalId("email", "ada@example.com"))


async def test_links_lead_to_profiles_of_the_two_collections() -> None:
    """What is of neither is left out."""
    ids = [{"type": "group_id", "id": "acme"}]
    api = Api(
        listed({"to_collection": "accounts", "external_ids": ids}, {"to_collection": "else", "external_ids": ids})
    )
    assert await read(api, "links") == (Link("accounts", (ExternalId("group_id", "acme"),)),)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"created_at": WHEN, "updated_at": "2026-11-20T12:00:00+02:00"}, datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ({"created_at": "2026-11-20T10:00:00", "expires_at": None}, datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ({"created_at": "long ago"}, None),
        ({}, None),
    ],
)
async def test_metadata_has_times(told: dict[str, Any], expected: datetime | None) -> None:
    """In UTC; what cannot be read is not known."""
    metadata = await read(Api(httpx.Response(200, json={"metadata": told, "segment_id": "use_1"})), "metadata")
    assert isinstance(metadata, ProfileMetadata)
    assert (metadata.segment_id, metadata.created_at, metadata.expires_at) == ("use_1", expected, None)


@pytest.mark.parametrize("section", ["all_traits", "external_ids", "links"])
async def test_pages_have_an_end(section: SectionName) -> None:
    """However many there are."""
    answers = [traits(next_page=str(n)) if section == "all_traits" else listed(next_page=str(n)) for n in range(20)]
    api = Api(*answers)
    await read(api, section)
    assert len(api.requests) == MAX_PAGES
