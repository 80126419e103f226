"""What the Profile API promises, asked over HTTP: of the sandbox, or of a real space that two variables name.

`CONTRACT_SPACE=<space id>:<access token>` and `CONTRACT_PROFILE=user_id:<an id that exists there>`; a space in the
European Union is named by `CONTRACT_SPACE=eu/<space id>:<access token>`, one behind another base URL by
`CONTRACT_SPACE=<base URL>/<space id>:<access token>`. Only reads are made. What a real profile does not have is skipped
with the reason; more than a page of traits, ids, events and links, and an account, show the most.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.contract.conftest import COLLECTION_KEYS, Space

ROUTES = ("traits", "external_ids", "events", "metadata", "links")
LISTS = tuple(COLLECTION_KEYS)
MOST = {"traits": 200, "external_ids": 25, "events": 100, "links": 20}
SMALL = {"traits": 7, "external_ids": 3, "events": 9, "links": 2}
"""Items of a page, where a list is read page by page."""

MANY = 50
"""Small pages that a test reads, at the most."""


@pytest.fixture(scope="module")
def account(space: Space) -> str:
    """Return the id of an account that the profile belongs to."""
    links = space.needed(space.listed("links"), "links")
    ids = [one for link in links if link["to_collection"] == "accounts" for one in link["external_ids"]]
    return space.needed([f"{one['type']}:{quote(one['id'], safe='')}" for one in ids], "account")[0]


def pages(space: Space, route: str, **query: Any) -> Iterator[dict[str, Any]]:
    """Yield small pages of a list by `next`, up to the last or `MANY`."""
    for _ in range(MANY):
        page = space.answer(route, limit=SMALL[route], **query)
        yield page
        if not cursor(page)["has_more"]:
            return
        query["next"] = cursor(page)["next"]


def cursor(page: dict[str, Any]) -> dict[str, Any]:
    """Return a page's cursor; the documented example of links has none."""
    found: dict[str, Any] = page.get("cursor", {"has_more": False, "next": ""})
    return found


def items(route: str, page: dict[str, Any]) -> list[Any]:
    found = page[COLLECTION_KEYS[route]]
    return list(found.items()) if isinstance(found, dict) else list(found)


def moments(events: list[dict[str, Any]]) -> list[datetime]:
    return [datetime.fromisoformat(event["timestamp"]) for event in events]


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_answers_with_a_request_id(space: Space, route: str) -> None:
    """JSON, and the id that Segment's support asks for."""
    response = space.get(route)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("application/json")
    assert response.headers["Request-Id"]


@pytest.mark.parametrize("route", ROUTES)
def test_a_profile_that_is_not_there_is_not_found(space: Space, route: str) -> None:
    """With the documented body, of both collections."""
    for collection, external_id in (("users", "user_id:no-such-profile"), ("accounts", "group_id:no-such-profile")):
        response = space.get(route, external_id, collection=collection)
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "not_found"
        assert response.headers["Request-Id"]


def test_an_id_without_a_type_is_not_found(space: Space) -> None:
    """Whatever it is the value of."""
    response = space.get("traits", space.profile.partition(":")[2])
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("token", ["", "not-the-token"])
def test_another_token_is_refused(space: Space, token: str) -> None:
    """By the documented code."""
    response = space.client.get(f"users/profiles/{space.profile}/traits", auth=(token, ""))
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "authentication_error"


def test_a_collection_with_an_invalid_character_is_refused(space: Space) -> None:
    """By the documented code."""
    response = space.get("traits", collection="users!")
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "validation_error"


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_a_wrong_limit_is_refused(space: Space, limit: str) -> None:
    """A 400 with an error body."""
    response = space.get("traits", limit=limit)
    assert response.status_code == 400
    assert response.json()["error"]["code"] in {"validation_error", "invalid_request_error"}


@pytest.mark.parametrize("route", LISTS)
def test_a_list_may_be_asked_for_as_much_as_is_documented(space: Space, route: str) -> None:
    """So many items come, if there are so many; asking for more gives no more."""
    found = space.needed(space.listed(route, limit=MOST[route]), route)
    assert len(found) == MOST[route] or not space.is_ours
    assert len(found) <= MOST[route]
    response = space.get(route, limit=MOST[route] + 1)
    assert response.status_code == 400 or len(items(route, response.json())) <= MOST[route]


@pytest.mark.parametrize("route", ["traits", "events"])
def test_a_list_has_ten_items_unless_asked(space: Space, route: str) -> None:
    """Of traits the documentation says so."""
    space.needed(space.listed(route, limit=MOST[route])[10:], f"more than ten {route}")
    assert len(space.listed(route)) == 10


def test_unknown_parameters_are_ignored(space: Space) -> None:
    """They change nothing."""
    traits = space.needed(space.answer("traits")["traits"], "traits")
    assert space.answer("traits", colour="red")["traits"] == traits


@pytest.mark.parametrize("route", LISTS)
def test_a_list_is_paged_by_next_without_loss(space: Space, route: str) -> None:
    """Few at a time give what many at once give, in the same order, in pages that say whether there are more."""
    whole = space.listed(route, limit=MOST[route])
    space.needed(len(whole) > SMALL[route], f"second page of {route}")
    found = [item for page in pages(space, route) for item in items(route, page)]
    assert found[: len(whole)] == whole
    assert len({str(item) for item in found}) == len(found)


@pytest.mark.parametrize("route", LISTS)
def test_a_cursors_url_is_the_next_page(space: Space, route: str) -> None:
    """As it is, whether it is absolute or a path: there are clients that follow it."""
    first = next(pages(space, route))
    space.needed(cursor(first)["has_more"], f"second page of {route}")
    second = space.answer(route, limit=SMALL[route], next=cursor(first)["next"])
    url = space.client.base_url.join(cursor(first)["url"])
    assert url.host == space.client.base_url.host  # or the token would go elsewhere
    followed = space.client.get(url)
    assert followed.status_code == 200
    assert items(route, followed.json())[: SMALL[route]] == items(route, second)


@pytest.mark.parametrize("route", LISTS)
def test_the_last_page_says_so(space: Space, route: str) -> None:
    """No more, and no cursor to ask with."""
    last = list(pages(space, route))[-1]
    space.needed(not cursor(last)["has_more"], f"end of {route} within {MANY} pages")
    assert items(route, last)
    assert cursor(last)["next"] == ""


@pytest.mark.parametrize("joined", [True, False])
def test_include_names_traits(space: Space, *, joined: bool) -> None:
    """Comma-joined or repeated, and what does not exist is left out."""
    whole = space.answer("traits", limit=200)["traits"]
    names = space.needed(sorted(whole)[1:3], "three traits")
    asked = [*names, "no_such_trait"]
    found = space.answer("traits", include=",".join(asked) if joined else asked)["traits"]
    assert found == {name: whole[name] for name in names}


def test_a_trait_that_is_not_there_is_left_out(space: Space) -> None:
    """Which is no error."""
    assert space.answer("traits", include="no_such_trait")["traits"] == {}


def test_a_class_selects_traits(space: Space) -> None:
    """Audiences are told by true and false, and are no computed traits; either is among the traits."""
    audiences = space.needed(space.answer("traits", **{"class": "audience"})["traits"], "audience")
    computed = space.needed(space.answer("traits", **{"class": "computed_trait"})["traits"], "computed trait")
    assert not audiences.keys() & computed.keys()
    assert all(isinstance(inside, bool) for inside in audiences.values())
    for name, value in (audiences | computed).items():
        assert space.answer("traits", include=name)["traits"] == {name: value}


def test_verbose_tells_where_a_trait_comes_from(space: Space) -> None:
    """Each value with its source and the time of its change."""
    plain = space.needed(space.answer("traits")["traits"], "traits")
    verbose = space.answer("traits", verbose="true")["traits"]
    assert {name: told["value"] for name, told in verbose.items()} == plain
    assert all({"value", "source_id", "updated_at"} <= told.keys() for told in verbose.values())


def test_events_are_newest_first_unless_asked(space: Space) -> None:
    """And oldest first when asked."""
    down = moments(space.needed(space.listed("events", limit=100)[1:], "two events"))
    assert down == sorted(down, reverse=True)
    up = moments(space.listed("events", limit=100, sort="asc"))
    assert up == sorted(up)
    assert up[0] < up[-1]
    assert up[0] <= down[-1]


def test_events_are_included_and_excluded_by_name(space: Space) -> None:
    """Each half has what the other has not."""
    names = sorted({event["event"] for event in space.listed("events", limit=100)})
    one, *others = space.needed(names if len(names) > 1 else [], "two kinds of events")
    included = space.listed("events", include=one, limit=100)
    excluded = space.listed("events", exclude=one, limit=100)
    assert {event["event"] for event in included} == {one}
    assert {event["event"] for event in excluded} >= set(others)
    assert one not in {event["event"] for event in excluded}
    assert {event["event"] for event in space.listed("events", include=",".join(names), limit=100)} == set(names)
    assert space.listed("events", include="No Such Event") == []


def test_events_start_and_end_when_asked(space: Space) -> None:
    """At a moment between two events, each is on its side."""
    times = sorted(set(moments(space.listed("events", limit=100))))
    earlier, later = space.needed(times[-3:-1], "three events at different times")
    between = (earlier + (later - earlier) / 2).isoformat()
    after = moments(space.listed("events", start=between, limit=100))
    before = moments(space.listed("events", end=between, limit=100))
    assert min(after) == later
    assert max(before) == earlier
    whole = moments(space.listed("events", start=earlier.date().isoformat(), end=between, limit=100))
    assert earlier in whole
    assert space.listed("events", start="2100-01-01") == []


def test_events_have_the_documented_members(space: Space) -> None:
    """Track calls, with what a reader needs."""
    for event in space.needed(space.listed("events"), "events"):
        assert {"event", "timestamp", "properties", "message_id", "type", "external_ids", "context"} <= event.keys()
        assert event["type"] == "track"
        assert all({"collection", "type", "id", "encoding"} <= one.keys() for one in event["external_ids"])


def test_external_ids_have_the_documented_members(space: Space) -> None:
    """And the one that was asked by is among them."""
    ids = [one for page in pages(space, "external_ids") for one in items("external_ids", page)]
    assert all({"id", "type", "collection", "created_at", "encoding"} <= one.keys() for one in ids)
    assert space.profile in {f"{one['type']}:{one['id']}" for one in ids}


def test_external_ids_are_included_by_type(space: Space) -> None:
    """And no others."""
    id_type = space.profile.partition(":")[0]
    found = space.listed("external_ids", include=id_type)
    assert {one["type"] for one in found} == {id_type}


def test_every_external_id_leads_to_the_profile(space: Space) -> None:
    """Whatever its type."""
    segment_id = space.answer("metadata").get("segment_id")
    ids = space.needed(space.listed("external_ids"), "external ids")
    for one in ids[:5]:
        external_id = f"{one['type']}:{quote(one['id'], safe='')}"
        assert space.answer("metadata", external_id).get("segment_id") == segment_id


def test_metadata_has_the_documented_members(space: Space) -> None:
    """When the profile came to be, and changed."""
    metadata = space.answer("metadata")["metadata"]
    assert {"created_at", "updated_at", "expires_at", "first_message_id", "last_message_id"} <= metadata.keys()
    assert {"first_source_id", "last_source_id"} <= metadata.keys()
    assert datetime.fromisoformat(metadata["created_at"]) <= datetime.fromisoformat(metadata["updated_at"])


@pytest.mark.parametrize("form", ["segment_id:{}", "{}"])
def test_segments_own_id_leads_to_the_profile(space: Space, form: str) -> None:
    """With its type and without."""
    metadata = space.answer("metadata")
    segment_id = space.needed(metadata.get("segment_id"), "segment_id in its metadata")
    assert segment_id.startswith("use_")
    assert space.answer("metadata", form.format(segment_id))["metadata"] == metadata["metadata"]


def test_a_colon_may_be_encoded(space: Space) -> None:
    """There are clients that send `%3A`."""
    traits = space.needed(space.answer("traits")["traits"], "traits")
    assert space.answer("traits", quote(space.profile, safe=""))["traits"] == traits


def test_a_plus_is_sent_encoded(space: Space) -> None:
    """As `%2B`, which the documentation asks of phone numbers."""
    ids = [one for page in pages(space, "external_ids") for one in items("external_ids", page)]
    one = space.needed([one for one in ids if "+" in one["id"]], "external id with a plus sign")[0]
    external_id = f"{one['type']}:{one['id'].replace('+', '%2B')}"
    assert space.answer("metadata", external_id)["metadata"] == space.answer("metadata")["metadata"]


@pytest.mark.parametrize("route", ROUTES)
def test_an_account_is_read_by_the_same_routes(space: Space, account: str, route: str) -> None:
    """In its own collection only."""
    body = space.answer(route, account, collection="accounts")
    assert body[COLLECTION_KEYS.get(route, "metadata")] or not space.is_ours
    assert space.get(route, account, collection="users").status_code == 404


def test_links_have_the_documented_members(space: Space) -> None:
    """A user's accounts, each by its ids."""
    for link in space.needed(space.listed("links"), "links"):
        assert link["to_collection"] == "accounts"
        assert link["external_ids"]
        assert all(
            {"id", "type", "source_id", "collection", "created_at", "encoding"} <= one.keys()
            for one in link["external_ids"]
        )


def test_an_accounts_links_lead_back(space: Space, account: str) -> None:
    """To its users, of whom the profile is one."""
    links = space.answer("links", account, collection="accounts", limit=20)
    users = {f"{one['type']}:{one['id']}" for link in links["data"] for one in link["external_ids"]}
    assert {link["to_collection"] for link in links["data"]} == {"users"}
    space.needed(not links.get("cursor", {}).get("has_more"), "account of few users")
    own = {f"{one['type']}:{one['id']}" for one in space.listed("external_ids", limit=25)}
    assert users & own


def test_odd_accept_encodings_are_answered_as_they_can_be_read(space: Space) -> None:
    """Axios sends a list of them; identity is always asked for by ours."""
    for accepted in ("gzip, compress, deflate, br", "identity"):
        response = space.client.get(f"users/profiles/{space.profile}/traits", headers={"Accept-Encoding": accepted})
        assert response.status_code == 200
        assert response.json()["traits"]


def test_a_response_is_not_for_browsers(space: Space) -> None:
    """There is no CORS, as the token carries access to everything."""
    response: httpx.Response = space.client.get(
        f"users/profiles/{space.profile}/traits", headers={"Origin": "https://blog.example.com"}
    )
    assert "Access-Control-Allow-Origin" not in response.headers
