"""The five routes: every documented parameter goes out, and every documented answer comes in."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from personalize import errors
from personalize.model import Collection, ExternalId
from personalize.profile_api.client import ProfileClient, turned
from personalize.profile_api.token import AccessToken
from personalize.profile_api.wire import Cursor, EventsPage, ExternalIdTold, LinkTold, MetadataTold, TraitTold
from personalize.telemetry.metrics import Metrics

ADA = ExternalId("user_id", "ada")
PROFILE = "https://profiles.test/v1/spaces/space1/collections/users/profiles/user_id%3Aada"


class Api:
    """A Profile API at the transport that gives one answer and keeps what it was asked."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.urls: list[str] = []
        self._answer = answer
        self.client = ProfileClient(
            space_id="space1",
            access_token=AccessToken("fake-token"),
            base_url="https://profiles.test",
            metrics=Metrics(CollectorRegistry()),
            transport=httpx.MockTransport(self.handle),
        )

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.urls.append(str(request.url))
        return httpx.Response(200, json=self._answer)


async def test_traits_with_every_parameter() -> None:
    """A class, names, a limit, more to be told, and a page further on."""
    told = {"value": "Bob", "source_id": "s1", "updated_at": "2018-01-05T00:16:36.919Z"}
    api = Api({"traits": {"first_name": told}, "cursor": {"has_more": True, "next": "x"}})
    page = await api.client.verbose_traits(
        "users", ADA, include=("first_name", "a&b"), class_="computed_trait", limit=5, next_page="a/b"
    )
    await api.client.traits("users", ADA, include=("city",), class_="audience", limit=7, next_page="x")
    assert api.urls == [
        f"{PROFILE}/traits?include=first_name,a%26b&class=computed_trait&limit=5&verbose=true&next=a%2Fb",
        f"{PROFILE}/traits?include=city&class=audience&limit=7&next=x",
    ]
    assert page.traits == {"first_name": TraitTold("Bob", "s1", "2018-01-05T00:16:36.919Z")}
    assert page.next == "x"


@pytest.mark.parametrize("traits", [{"plan": "pro"}, {"plan": {"source_id": "s1"}}, {"plan": None}])
async def test_verbose_traits_of_another_shape_are_unreadable(traits: dict[str, Any]) -> None:
    """Where `verbose` was ignored, for one."""
    with pytest.raises(errors.Unreadable):
        await Api({"traits": traits}).client.verbose_traits("users", ADA)


async def test_a_name_with_a_comma_is_not_asked_for() -> None:
    """Segment would take it for two names, encoded or not; nothing goes out."""
    api = Api({"traits": {}, "data": []})
    for call in (
        api.client.traits("users", ADA, include=("a,b",)),
        api.client.verbose_traits("users", ADA, include=("a", "b,")),
        api.client.events("users", ADA, exclude=(",",)),
    ):
        with pytest.raises(errors.InvalidRequest, match="comma"):
            await call
    assert api.urls == []


async def test_events_with_every_parameter() -> None:
    """Names in and out, from when to when, in which order."""
    api = Api({"data": [{"event": "Viewed", "timestamp": "2018-01-05T00:16:35.663Z", "properties": None}]})
    page = await api.client.events(
        "users",
        ADA,
        include=("Page Viewed",),
        exclude=("Experiment Viewed",),
        start=datetime(2018, 1, 1, tzinfo=UTC),
        end=datetime(2018, 1, 2, 12, 30, tzinfo=UTC),
        sort="asc",
        limit=7,
    )
    assert api.urls == [
        (
            f"{PROFILE}/events?include=Page%20Viewed&exclude=Experiment%20Viewed"
            "&start=2018-01-01T00%3A00%3A00Z&end=2018-01-02T12%3A30%3A00Z&limit=7&sort=asc"
        )
    ]
    [event] = page.events()
    assert (event.name, event.properties) == ("Viewed", {})


async def test_external_ids_as_documented() -> None:
    """The documented example, with its members."""
    told = {
        "source_id": "GFu4AJc2bE",
        "collection": "users",
        "id": "1d1cd931-bc7d-4e39-a1a7-61563296fb15",
        "type": "cross_domain_id",
        "created_at": "2017-11-30T06:05:01.40468Z",
        "encoding": "none",
        "first_message_id": "ajs-0af8675aa114c759210a76b2baea0a03-clean",
    }
    api = Api({"data": [told], "cursor": {"has_more": True, "next": "map_0vKouKs2XyirgwMO4SmnDGaps7j"}})
    page = await api.client.external_ids("users", ADA, include=("user_id", "anonymous_id"), limit=25)
    assert api.urls == [f"{PROFILE}/external_ids?include=user_id,anonymous_id&limit=25"]
    assert page.data == [ExternalIdTold(**told)]
    assert page.next == "map_0vKouKs2XyirgwMO4SmnDGaps7j"


async def test_metadata_as_documented() -> None:
    """Top-level `segment_id` beside what the profile's history says; a profile may never expire."""
    api = Api({"segment_id": "use_1", "metadata": {"created_at": "2017-10-23T00:22:42.78Z", "expires_at": None}})
    page = await api.client.metadata("users", ADA)
    assert api.urls == [f"{PROFILE}/metadata"]
    assert (page.segment_id, page.metadata) == ("use_1", MetadataTold(created_at="2017-10-23T00:22:42.78Z"))


@pytest.mark.parametrize(("verbose", "query"), [(True, "&verbose=true"), (False, "")])
async def test_more_is_told_of_ids_and_metadata_when_asked(query: str, *, verbose: bool) -> None:
    """Both routes take `verbose`, and their answers are read as ever."""
    told = {"segment_id": "use_1", "metadata": {"first_source_id": "s1"}, "data": [{"id": "ada", "type": "user_id"}]}
    api = Api(told)
    ids = await api.client.external_ids("users", ADA, verbose=verbose)
    metadata = await api.client.metadata("users", ADA, verbose=verbose)
    told_of = query.replace("&", "?")
    assert api.urls == [f"{PROFILE}/external_ids?limit=25{query}", f"{PROFILE}/metadata{told_of}"]
    assert ids.data == [ExternalIdTold("ada", "user_id")]
    assert metadata.metadata == MetadataTold(first_source_id="s1")


async def test_links_as_documented() -> None:
    """The documented example has no cursor: that is the last page."""
    told = {"id": "ADGCJE3Y8H", "type": "group_id", "source_id": "DFAAJc2bE", "collection": "accounts"}
    api = Api({"data": [{"to_collection": "accounts", "external_ids": [told]}]})
    page = await api.client.links("users", ADA)
    assert api.urls == [f"{PROFILE}/links?limit=20"]
    assert page.data == [LinkTold("accounts", [ExternalIdTold(**told)])]
    assert page.next == ""


@pytest.mark.parametrize(("collection", "kind"), [("users", "user_id"), ("accounts", "group_id")])
async def test_both_collections_are_read(collection: Collection, kind: str) -> None:
    """Of accounts by their group id."""
    api = Api({"traits": {}})
    await api.client.traits(collection, ExternalId(kind, "12345"))
    [url] = api.urls
    assert f"/collections/{collection}/profiles/{kind}%3A12345/traits?limit=200" in url


@pytest.mark.parametrize("answer", [{}, {"data": None}, {"data": [{"type": "x"}]}, {"data": {}}])
async def test_what_is_not_documented_is_unreadable(answer: dict[str, Any]) -> None:
    """Of any route: here external ids without what makes one."""
    with pytest.raises(errors.Unreadable):
        await Api(answer).client.external_ids("users", ADA)


async def test_pages_are_turned_to_the_last() -> None:
    """By `next` alone, in order, and not past the last one."""
    pages = {"": "b", "b": "c", "c": ""}
    asked: list[str] = []

    async def page(cursor: str) -> EventsPage:
        asked.append(cursor)
        return EventsPage(data=[], cursor=Cursor(has_more=bool(pages[cursor]), next=pages[cursor]))

    assert len([one async for one in turned(page, most=10)]) == 3
    assert asked == ["", "b", "c"]
