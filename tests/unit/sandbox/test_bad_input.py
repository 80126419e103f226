"""Whatever a client sends, it gets an answer in JSON that is its own fault, never the sandbox's."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    import httpx
    from starlette.applications import Starlette

    from tests.unit.sandbox.conftest import Segment

PROFILES = "/v1/spaces/sandbox/collections/users/profiles"
ROUTES = st.sampled_from(["traits", "external_ids", "events", "metadata", "links"])
PARAMETERS = st.sampled_from(
    ["limit", "next", "include", "exclude", "class", "verbose", "start", "end", "sort", "colour"]
)
CALLS = st.sampled_from(["identify", "track", "page", "screen", "group", "alias", "batch"])
MEMBERS = st.sampled_from(["userId", "anonymousId", "previousId", "groupId", "event", "timestamp", "messageId"])
NESTING = st.sampled_from(["traits", "properties", "context", "externalIds", "batch", "type", "id", "device"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | CALLS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NESTING | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)

any_input = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_told(answer: httpx.Response) -> None:
    """Assert that an answer is a success, or an error that is the client's, with an id and a body that say so."""
    assert answer.status_code < 500
    assert "Request-Id" in answer.headers
    if answer.status_code != 200:
        assert set(answer.json()["error"]) == {"code", "message"}


@any_input
@given(route=ROUTES, query=st.lists(st.tuples(PARAMETERS, st.text(max_size=12)), max_size=4))
async def test_any_query_is_answered(segment: Segment, route: str, query: list[tuple[str, str]]) -> None:
    """No query value makes the Profile API fail."""
    path = f"{PROFILES}/user_id:ada/{route}"
    written = urlencode(query, errors="replace")
    assert_told(await segment.http.get(f"{path}?{written}", auth=("sandbox-token", "")))


@any_input
@example(route="traits", query="%ff=%ff&limit=%00&include=%00")
@example(route="events", query="&&==;&next=%e2%82&start=%2b&end=9999-12-31")
@given(route=ROUTES, query=st.text(st.sampled_from("%&=;+#0aF,é"), max_size=12))
async def test_any_query_string_is_answered(segment: Segment, route: str, query: str) -> None:
    """Nor does a query string that is not even one."""
    path = f"{PROFILES}/user_id:ada/{route}?{query}"
    assert_told(await segment.http.get(path, auth=("sandbox-token", "")))


@any_input
@given(route=CALLS, call=st.dictionaries(MEMBERS | NESTING, VALUES, max_size=6))
async def test_any_call_is_answered(segment: Segment, route: str, call: dict[str, object]) -> None:
    """No JSON object makes the Tracking API fail, alone or in a batch."""
    assert_told(await segment.post(route, json.dumps(call).encode()))
    assert_told(await segment.post("batch", json.dumps({"batch": [{**call, "type": route}]}).encode()))


@any_input
@given(route=CALLS, body=st.binary(max_size=40))
async def test_any_body_is_answered(segment: Segment, route: str, body: bytes) -> None:
    """Nor does a body that is not JSON, or not even an object."""
    assert_told(await segment.post(route, body))
    assert_told(await segment.post(route, body, **{"Content-Encoding": "gzip"}))


@pytest.mark.parametrize("segment_", [b"%ff", b"user_id:%c3", b"user_id:\xff"])
@pytest.mark.parametrize("path", [b"/v1/spaces/sandbox/collections/users/profiles/%b/traits", b"/v1/%b"])
async def test_a_path_that_is_not_utf_8_is_refused(sandbox: Starlette, path: bytes, segment_: bytes) -> None:
    """In JSON and with an id, and not as an id that nobody has."""
    token = b"sandbox-token:" if b"spaces" in path else b"sandbox-write-key:"
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "raw_path": path % segment_,
        "query_string": b"",
        "headers": [(b"authorization", b"Basic " + b64encode(token))],
    }
    start, body = await asked(sandbox, scope)
    assert start["status"] == 400
    assert b"request-id" in dict(start["headers"])
    assert json.loads(body["body"]) == {"error": {"code": "invalid_request_error", "message": "The path is not UTF-8."}}


async def asked(app: Starlette, scope: dict[str, Any]) -> list[Any]:
    """Return what an app sends for a request that no client library would make."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    await app(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    ("collection", "message"),
    [
        ("users!", "has invalid character(s) `!`"),
        ("U-s!e-r!", "has invalid character(s) `U-!`"),
        ("a b", "has invalid character(s) ` `"),
        ("pets", "has to be one of users, accounts."),
        ("", "has to be one of users, accounts."),
    ],
)
async def test_a_collection_that_is_none_is_refused(segment: Segment, collection: str, message: str) -> None:
    """A collection's error names its odd characters, each once, or else the collections that there are."""
    answer = await segment.read("user_id:ada", "traits", collection=collection)
    assert answer.status_code == 400
    assert answer.json()["error"] == {"code": "validation_error", "message": f"The parameter `collection` {message}"}


@pytest.mark.parametrize("host", ["[", "a b", "x:y:z", ""])
async def test_a_strange_host_still_gets_its_page(segment: Segment, host: str) -> None:
    """A cursor's URL is made from any `Host`."""
    answer = await segment.read("user_id:ada", "traits", "limit=1", headers={"Host": host})
    assert answer.json()["cursor"]["has_more"]
