"""Sections that are read whole: all their pages up to a cap, in whichever form the last one comes."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from personalize import errors
from personalize.model import Content, Event, ExternalId, Link, ProfileMetadata, SectionName
from personalize.needs import WholeSpec
from personalize.ports import Errand
from personalize.profile_api.budget import Unlimited
from personalize.profile_api.client import ProfileClient
from personalize.profile_api.guard import Guard
from personalize.profile_api.sections import MAX_PAGES, SectionReader
from personalize.profile_api.token import AccessToken
from personalize.telemetry.metrics import Metrics
from tests.doubles import event
from tests.examples import example

ADA = ExternalId("user_id", "ada")
ONCE = Errand("page", 0.0)
"""An errand that is too late for a retry."""
PROFILE = "/v1/spaces/space1/collections/users/profiles/user_id%3Aada"


class Api:
    """A Profile API at the transport that gives its answers in turn, the last one for ever, and keeps what it heard."""

    def __init__(self, *answers: dict[str, Any] | httpx.Response) -> None:
        self.asked: list[str] = []
        self._answers = [one if isinstance(one, httpx.Response) else httpx.Response(200, json=one) for one in answers]

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.raw_path.decode())
        return self._answers[min(len(self.asked), len(self._answers)) - 1]

    async def read(self, section: SectionName) -> Content:
        """Return the content of a section of somebody."""
        metrics = Metrics(CollectorRegistry())
        client = ProfileClient(
            space_id="space1",
            access_token=AccessToken("fake-token"),
            base_url="https://profiles.test",
            metrics=metrics,
            transport=httpx.MockTransport(self.handle),
        )
        reader = SectionReader(client, Guard(Unlimited(), metrics=metrics))
        return await reader.read("users", ADA, WholeSpec(section, 300), ONCE)


def page(content: dict[str, Any], next_page: str | None = None, **cursor: Any) -> dict[str, Any]:
    """Return an answer; with a `next_page` there are more."""
    return content | {"cursor": {"has_more": next_page is not None, "next": next_page} | cursor}


def ids(*values: str) -> dict[str, Any]:
    return {"data": [{"type": "user_id", "id": value} for value in values]}


def link(group_id: str, collection: str = "accounts") -> dict[str, Any]:
    return {"to_collection": collection, "external_ids": [{"type": "group_id", "id": group_id}]}


ONE: list[tuple[SectionName, dict[str, Any], str, Content]] = [
    ("all_traits", {"traits": {"city": "Rome"}}, "traits?limit=200", {"city": "Rome"}),
    (
        "audiences",
        {"traits": {"gold": True, "lapsed": False, "odd": 1}},
        "traits?class=audience&limit=200",
        ("gold",),
    ),
    ("external_ids", ids("ada"), "external_ids?limit=25", (ADA,)),
    ("links", {"data": [link("g1")]}, "links?limit=20", (Link("accounts", (ExternalId("group_id", "g1"),)),)),
    (
        "all_events",
        {"data": [event("Viewed", "2026-11-20T10:00:00Z")]},
        "events?limit=100&sort=desc",
        (Event("Viewed", datetime(2026, 11, 20, 10, tzinfo=UTC), {}, "Viewed-2026-11-20T10:00:00Z"),),
    ),
]


@pytest.mark.parametrize(("section", "answer", "asked", "content"), ONE)
async def test_a_section_is_read_over_one_route(
    section: SectionName, answer: dict[str, Any], asked: str, content: Content
) -> None:
    """In pages as large as the route has them."""
    api = Api(page(answer))
    assert await api.read(section) == content
    assert api.asked == [f"{PROFILE}/{asked}"]


@pytest.mark.parametrize(
    "cursor",
    [
        None,
        {},
        {"has_more": False, "next": "more"},
        {"has_more": True},
        {"has_more": True, "next": ""},
        {"has_more": True, "next": None},
    ],
)
@pytest.mark.parametrize("section", ["all_traits", "audiences", "external_ids", "links"])
async def test_the_last_page_comes_in_many_forms(section: SectionName, cursor: dict[str, Any] | None) -> None:
    """Nothing more, or nothing to ask for it by."""
    api = Api({"traits": {"gold": True}, "data": [], "cursor": cursor})
    await api.read(section)
    assert len(api.asked) == 1


async def test_a_missing_cursor_is_the_last_page() -> None:
    """As in the documented answer of links."""
    api = Api(example("links"))
    assert await api.read("links") == (
        Link("accounts", (ExternalId("group_id", "ADGCJE3Y8H"),)),
        Link("accounts", (ExternalId("group_id", "ghdctIwnA"),)),
    )


async def test_traits_of_all_pages_are_one_mapping() -> None:
    """Turned by `next` alone: an answer's `url` never chooses whom we ask."""
    hostile = "https://attacker.test/v1/steal"
    api = Api(page({"traits": {"a": 1, "b": 1}}, "x/y", url=hostile), page({"traits": {"b": 2, "c": 3}}))
    assert await api.read("all_traits") == {"a": 1, "b": 2, "c": 3}
    assert api.asked == [f"{PROFILE}/traits?limit=200", f"{PROFILE}/traits?limit=200&next=x%2Fy"]


async def test_lists_of_all_pages_are_one_list() -> None:
    """In the order in which they come; what is linked to a collection that we do not know is left out."""
    api = Api(page(ids("a"), "1"), page(ids("b", "c")))
    assert await api.read("external_ids") == tuple(ExternalId("user_id", value) for value in "abc")
    api = Api(page({"data": [link("g1"), link("p1", "pets")]}, "1"), page({"data": [link("g2")]}))
    assert await api.read("links") == tuple(
        Link("accounts", (ExternalId("group_id", value),)) for value in ("g1", "g2")
    )


@pytest.mark.parametrize("section", ["all_traits", "audiences", "external_ids", "links"])
async def test_pages_are_capped(section: SectionName) -> None:
    """A profile without an end is read so far and no farther, and what was found is kept."""
    numbered = [
        page(
            {"traits": {str(number): True}, "data": [link(str(number)) | {"type": "x", "id": str(number)}]}, str(number)
        )
        for number in range(MAX_PAGES + 1)
    ]
    api = Api(*numbered)
    content = await api.read(section)
    assert isinstance(content, dict | tuple)
    assert (len(content), len(api.asked)) == (MAX_PAGES, MAX_PAGES)


async def test_all_events_are_one_page() -> None:
    """No need may want more than a page of them."""
    api = Api(page({"data": [event("A"), {"odd": 1}, event("B")]}, "more"))
    events = await api.read("all_events")
    assert isinstance(events, tuple)
    assert [one.name for one in events if isinstance(one, Event)] == ["A", "B"]
    assert len(api.asked) == 1


async def test_metadata_are_one_answer() -> None:
    """As documented; a profile may never expire."""
    api = Api(example("metadata") | {"segment_id": "use_1"})
    told = await api.read("metadata")
    assert isinstance(told, ProfileMetadata)
    assert told.segment_id == "use_1"
    assert told.created_at == datetime(2017, 10, 23, 0, 22, 42, 780_000, tzinfo=UTC)
    assert told.expires_at is None
    assert api.asked == [f"{PROFILE}/metadata"]


@pytest.mark.parametrize("section", ["all_traits", "audiences", "external_ids", "links"])
async def test_a_failed_page_fails_the_section(section: SectionName) -> None:
    """Half a profile is not passed off as the whole."""
    api = Api(page({"traits": {"a": True}, "data": []}, "more"), httpx.Response(503))
    with pytest.raises(errors.ServerFault):
        await api.read(section)


@pytest.mark.parametrize("section", ["all_traits", "audiences", "all_events", "external_ids", "links", "metadata"])
async def test_an_answer_of_another_shape_is_unreadable(section: SectionName) -> None:
    """And never taken for an empty profile."""
    with pytest.raises(errors.Unreadable):
        await Api({"traits": None, "data": None, "metadata": None}).read(section)
