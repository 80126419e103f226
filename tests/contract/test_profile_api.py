"""What the Profile API promises, asked over HTTP: of the sandbox, or of a real space that two variables name.

`CONTRACT_SPACE=<space id>:<access token>` and `CONTRACT_PROFILE=user_id:<an id that exists there>`; a space in the
European Union is named by `CONTRACT_SPACE=eu/<space id>:<access token>`. Only reads are made.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from personalize.profile_api.client import REGIONS
from tests.processes import personalize, wait_for_urls

ROUTES = ("traits", "external_ids", "events", "metadata", "links")


@dataclass(frozen=True)
class Space:
    """Where the contract is asked: the base of its users' profiles, and a profile that exists."""

    users: str
    token: str
    profile: str

    def get(
        self,
        route: str,
        external_id: str | None = None,
        *,
        token: str | None = None,
        query: dict[str, str] | None = None,
    ) -> httpx.Response:
        auth = (self.token if token is None else token, "")
        url = f"{self.users}/{external_id or self.profile}/{route}"
        return httpx.get(url, params=query or {}, auth=auth, timeout=10, trust_env=False)

    def answer(self, route: str, **query: str) -> dict[str, Any]:
        response = self.get(route, query=query)
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body


@pytest.fixture(scope="module")
def space() -> Iterator[Space]:
    """Return the space that the environment names, else a sandbox of this module's own."""
    named = os.environ.get("CONTRACT_SPACE")
    if named is None:
        with personalize("sandbox", "--port", "0", "--rate-limit", "0") as run:
            [url] = wait_for_urls(run, 1)
            yield Space(f"{url}/v1/spaces/sandbox/collections/users/profiles", "sandbox-token", "user_id:ada")
        return
    where, token = named.split(":", 1)
    region, _, space_id = where.rpartition("/")
    base = REGIONS[region or "us"]
    yield Space(f"{base}/v1/spaces/{space_id}/collections/users/profiles", token, os.environ["CONTRACT_PROFILE"])


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_answers_with_a_request_id(space: Space, route: str) -> None:
    """JSON, and the id that Segment's support asks for."""
    response = space.get(route)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("application/json")
    assert response.headers["Request-Id"]


@pytest.mark.parametrize("route", ROUTES)
def test_a_profile_that_is_not_there_is_not_found(space: Space, route: str) -> None:
    """With the documented body."""
    response = space.get(route, "user_id:no-such-profile-in-any-space")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("token", ["", "not-the-token"])
def test_another_token_is_refused(space: Space, token: str) -> None:
    """By the documented code."""
    response = space.get("traits", token=token)
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "authentication_error"


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_a_wrong_limit_is_refused(space: Space, limit: str) -> None:
    """A 400 with an error body."""
    response = space.get("traits", query={"limit": limit})
    assert response.status_code == 400
    assert response.json()["error"]["code"] in {"validation_error", "invalid_request_error"}


def test_unknown_parameters_are_ignored(space: Space) -> None:
    """They change nothing."""
    assert space.answer("traits", colour="red")["traits"] == space.answer("traits")["traits"]


def test_traits_are_paged_by_next_without_loss(space: Space) -> None:
    """One at a time gives what many at once give, in pages that say whether there are more."""
    whole = space.answer("traits", limit="200")["traits"]
    found: dict[str, Any] = {}
    query = {"limit": "1"}
    for _ in range(len(whole) + 1):
        page = space.answer("traits", **query)
        found |= page["traits"]
        if not page["cursor"]["has_more"]:
            break
        query["next"] = page["cursor"]["next"]
    assert found == whole
    assert page["cursor"]["next"] == ""


def test_include_names_traits(space: Space) -> None:
    """Comma-joined, and what does not exist is left out."""
    whole = space.answer("traits", limit="200")["traits"]
    names = sorted(whole)[:2]
    assert space.answer("traits", include=",".join([*names, "no_such_trait"]))["traits"] == {
        name: whole[name] for name in names
    }


def test_verbose_tells_where_a_trait_comes_from(space: Space) -> None:
    """Each value with its source and the time of its change."""
    plain, verbose = space.answer("traits"), space.answer("traits", verbose="true")
    assert {name: told["value"] for name, told in verbose["traits"].items()} == plain["traits"]
    assert all({"value", "source_id", "updated_at"} <= told.keys() for told in verbose["traits"].values())


def test_events_are_newest_first_unless_asked(space: Space) -> None:
    """Both orders hold the same."""
    down = [event["timestamp"] for event in space.answer("events", limit="100")["data"]]
    assert down == sorted(down, reverse=True)
    up = [event["timestamp"] for event in space.answer("events", limit="100", sort="asc")["data"]]
    assert up == sorted(up)


def test_events_have_the_documented_members(space: Space) -> None:
    """Track calls, with what a reader needs."""
    for event in space.answer("events")["data"]:
        assert {"event", "timestamp", "properties", "message_id", "type", "external_ids"} <= event.keys()
        assert event["type"] == "track"


def test_external_ids_have_the_documented_members(space: Space) -> None:
    """And the one that was asked by is among them."""
    ids = space.answer("external_ids", limit="25")["data"]
    assert all({"id", "type", "collection", "created_at", "encoding"} <= one.keys() for one in ids)
    assert space.profile in {f"{one['type']}:{one['id']}" for one in ids}


def test_metadata_has_the_documented_members(space: Space) -> None:
    """When the profile came to be, and changed."""
    metadata = space.answer("metadata")["metadata"]
    assert {"created_at", "updated_at", "expires_at", "first_message_id", "last_message_id"} <= metadata.keys()
