"""What all routes of the Profile API have in common: paths, credentials, errors."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Segment

ADA = "/v1/spaces/sandbox/collections/users/profiles/user_id:ada"


@pytest.mark.parametrize(
    "value", ["a/b", "../../x", "a%2Fb", "50%", "+1 555", "a?b", "a#b", "a:b", "Zoë 🐦", ".", "//", "a\nb", "'\""]
)
async def test_an_id_stays_one_segment_of_the_path(segment: Segment, value: str) -> None:
    """Whatever a percent-encoded id contains, it leads to the profile that was tracked with it."""
    await segment.identify(userId=value, traits={"name": value})
    assert await segment.traits(f"user_id:{value}") == {"name": value}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
async def test_any_text_is_an_id(segment: Segment, value: str) -> None:
    """Every text that JSON can carry works as an id, in Tracking and in Profile API."""
    await segment.identify(anonymousId=value, traits={"seen": True})
    assert await segment.traits(f"anonymous_id:{value}", "include=seen") == {"seen": True}


async def test_a_plus_in_a_path_is_a_plus(segment: Segment) -> None:
    """A plus sign is not a space in a path, encoded or not; a colon may be encoded."""
    await segment.identify(userId="a+b", traits={"ok": True})
    for written in ("user_id:a+b", "user_id:a%2Bb", "user_id%3Aa%2Bb"):
        path = f"/v1/spaces/sandbox/collections/users/profiles/{written}/traits"
        assert (await segment.http.get(path, auth=("sandbox-token", ""))).json()["traits"] == {"ok": True}


@pytest.mark.parametrize(
    "external_id",
    [
        "user_id:unknown",
        "ada",
        ":",
        "",
        "user_id:",
        "use_r:ada",
        "user_id:ADA",
        "use_1",
        "segment_id:use_1",
        "segment_id:",
    ],
)
@pytest.mark.parametrize("route", ["traits", "external_ids", "events", "metadata", "links"])
async def test_an_unknown_profile_is_not_found(segment: Segment, external_id: str, route: str) -> None:
    """An id that leads to no profile, or has no type, is answered with the documented 404."""
    answer = await segment.read(external_id, route)
    assert answer.status_code == 404
    assert answer.json() == {"error": {"code": "not_found", "message": "Profile was not found."}}


async def test_nobody_never_exists(segment: Segment) -> None:
    """Tracking `nobody` is accepted and forgotten, with all that the call says."""
    await segment.track("E", userId="nobody", anonymousId="a1")
    await segment.identify(userId="nobody", traits={"a": 1})
    await segment.group(userId="nobody", groupId="g1")
    await segment.alias(userId="nobody", previousId="a1")
    assert (await segment.read("user_id:nobody", "traits")).status_code == 404
    assert (await segment.read("anonymous_id:a1", "traits")).status_code == 404
    assert (await segment.read("group_id:g1", "traits", collection="accounts")).status_code == 404


async def test_accounts_are_another_collection(segment: Segment) -> None:
    """A user's id leads nowhere among the accounts."""
    assert (await segment.read("user_id:ada", "traits", collection="accounts")).status_code == 404


async def test_an_unknown_collection_is_a_validation_error(segment: Segment) -> None:
    """A collection that is neither users nor accounts is a 400."""
    answer = await segment.read("user_id:ada", "traits", collection="users!")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "validation_error")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer sandbox-token",
        "Basic",
        "Basic !",
        "Basic é",
        "Basic c2FuZGJveC10b2tlbg==",  # sandbox-token, without a colon
        "Basic c2FuZGJveC10b2tlbjp4",  # sandbox-token:x
        "Basic b3RoZXI6",  # other:
    ],
)
async def test_a_caller_without_the_token_is_refused(segment: Segment, authorization: str | None) -> None:
    """Anything but the access token as the username and no password is a 401, even for unknown paths."""
    headers = [] if authorization is None else [(b"Authorization", authorization.encode("latin-1"))]
    for path in (f"{ADA}/traits", "/v1/spaces/sandbox/nothing"):
        answer = await segment.http.get(path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "authentication_error")
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


async def test_a_wrong_space_does_not_look_like_an_unknown_visitor(segment: Segment) -> None:
    """The token belongs to one space; asking for another is a 401, not a 404."""
    answer = await segment.http.get(f"{ADA}/traits".replace("/sandbox/", "/other/"), auth=("sandbox-token", ""))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "authentication_error")


@pytest.mark.parametrize("path", [f"{ADA}/hobbies", ADA, f"{ADA}/traits/", f"{ADA}/x/traits", "/v1/spaces/", "/v1/"])
async def test_an_unknown_route_is_said_to_be_one(segment: Segment, path: str) -> None:
    """A path that is no route is a 404 whose code differs from an unknown profile's."""
    username = "sandbox-token" if path.startswith("/v1/spaces/") else "sandbox-write-key"
    answer = await segment.http.get(path, auth=(username, ""))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "invalid_request_error")


async def test_only_get_reads(segment: Segment) -> None:
    """Another method is a 405 that names the one allowed."""
    answer = await segment.http.post(f"{ADA}/traits", auth=("sandbox-token", ""))
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


@pytest.mark.parametrize("path", [f"{ADA}/traits", f"{ADA}/nothing", "/v1/track"])
async def test_every_answer_has_a_request_id(segment: Segment, path: str) -> None:
    """Answers and errors alike carry a `Request-Id` of their own, and are JSON."""
    answers = [await segment.http.get(path, auth=("sandbox-token", "")) for _ in range(2)]
    assert len({answer.headers["Request-Id"] for answer in answers}) == 2
    assert all(answer.headers["Content-Type"] == "application/json" for answer in answers)


async def test_a_cursor_keeps_the_path_as_it_was_sent(segment: Segment) -> None:
    """An encoded slash in an id is still encoded in the cursor's URL."""
    await segment.identify(userId="a/b", traits={"a": 1, "b": 2})
    cursor = (await segment.read("user_id:a/b", "traits", "limit=1")).json()["cursor"]
    assert quote("user_id:a/b", safe="") in cursor["url"]
