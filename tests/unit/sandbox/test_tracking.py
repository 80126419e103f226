"""The Tracking API."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from personalize.sandbox.nesting import MAX_DEPTH

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Segment


def track_call(number: int, **members: Any) -> dict[str, Any]:
    """Return one call of a batch."""
    return {"type": "track", "event": f"E{number}", "userId": "kim", "messageId": f"m{number}", **members}


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("track", b""),
        ("track", b"{"),
        ("track", b"\xff"),
        ("track", b'{"userId": "kim", "event": "E", "properties": {"n": ' + b"1" * 5000 + b"}}"),
        ("track", b'{"userId": 1, "event": "E"'),
        ("batch", b'{"batch": [{"type": "track", "userId": "kim", "event": "E"}, {"type": "track"]}'),
        ("batch", b'{"batch": 1'),
    ],
)
async def test_what_is_not_json_is_refused(segment: Segment, route: str, body: bytes) -> None:
    """With 400 and a body that says so; nothing is applied or dropped."""
    answer = await segment.post(route, body)
    assert answer.status_code == 400
    assert answer.json() == {"error": {"code": "invalid_request_error", "message": "The body is not JSON."}}
    assert (await segment.read("user_id:kim", "traits")).status_code == 404
    assert await segment.drops() == []


def nested(levels: int) -> bytes:
    """Return a call with so many objects and lists within one another, itself counted."""
    value = b"[" * (levels - 2) + b'"[[{"' + b"]" * (levels - 2)
    return b'{"userId": "kim", "event": "Post Viewed", "properties": {"category": %b}, "traits": {"a": %b}}' % (
        value,
        value,
    )


@pytest.mark.parametrize("route", ["track", "identify"])
async def test_what_is_nested_is_taken(segment: Segment, route: str) -> None:
    """As deep as may be, beside texts with any number of brackets; its profile can be read."""
    assert (await segment.post(route, nested(MAX_DEPTH))).json() == {"success": True}
    assert [(await segment.read("user_id:kim", one)).status_code for one in ("traits", "events")] == [200, 200]


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 100, 500, *range(900, 1000, 7), 5000])
async def test_what_is_nested_too_deep_is_refused(segment: Segment, levels: int) -> None:
    """At one depth for all, with 400; nothing is applied or dropped, nor computed with."""
    body = nested(levels)
    answers = [await segment.post("track", body), await segment.post("batch", b'{"batch": [%b]}' % body)]
    assert [answer.status_code for answer in answers] == [400, 400]
    message = f"The body is nested deeper than {MAX_DEPTH} levels."
    assert answers[0].json() == {"error": {"code": "invalid_request_error", "message": message}}
    assert (await segment.read("user_id:kim", "traits")).status_code == 404
    assert await segment.drops() == []


@pytest.mark.parametrize(
    ("route", "body", "reason"),
    [
        ("track", b"[]", "Expected `object`, got `array`."),
        ("track", b'"text"', "Expected `object`, got `str`."),
        ("track", b'{"userId": "kim"}', "The parameter `event` is required."),
        ("track", b'{"userId": "kim", "event": ""}', "The parameter `event` is required."),
        ("track", b'{"userId": "kim", "event": 1}', "Expected `str`, got `int` - at `$.event`."),
        ("track", b'{"userId": 1, "event": "E"}', "Expected `str | null`, got `int` - at `$.userId`."),
        ("track", b'{"userId": "", "anonymousId": null, "event": "E"}', "The parameter `userId` is required, unless"),
        ("track", b'{"event": "E"}', "The parameter `userId` is required, unless there is an `anonymousId`."),
        ("track", b'{"userId": "kim", "event": "E", "timestamp": "noon"}', "The parameter `timestamp` has to be"),
        (
            "track",
            b'{"userId": "kim", "event": "E", "timestamp": "9999-12-31T23:59:59-14:00"}',
            "The parameter `timest",
        ),
        ("track", b'{"userId": "kim", "event": "E", "properties": []}', "Expected `object | null`, got `array`"),
        ("identify", b'{"traits": {"a": 1}}', "The parameter `userId` is required"),
        ("page", b'{"name": "Home"}', "The parameter `userId` is required"),
        ("screen", b'{"userId": "kim", "context": []}', "Expected `object | null`, got `array` - at `$.context`."),
        ("group", b'{"userId": "kim", "groupId": 1}', "Expected `str`, got `int` - at `$.groupId`."),
        ("group", b'{"groupId": "g1"}', "The parameter `userId` is required"),
        ("group", b'{"userId": "kim", "groupId": "g1", "traits": []}', "Expected `object | null`"),
        ("alias", b'{"userId": "kim", "previousId": ["a1"]}', "Expected `str`, got `array` - at `$.previousId`."),
        ("identify", b'{"userId": "kim", "traits": "a"}', "Expected `object | null`, got `str` - at `$.traits`."),
        ("batch", b"{}", "Object missing required field `batch`."),
        ("batch", b'{"batch": {}}', "Expected `array`, got `object` - at `$.batch`."),
    ],
)
async def test_a_call_that_is_not_valid_is_dropped(segment: Segment, route: str, body: bytes, reason: str) -> None:
    """As Segment does: it answers success, creates no profile, and shows the call with the reason elsewhere."""
    answer = await segment.post(route, body)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert (await segment.read("user_id:kim", "traits")).status_code == 404
    [drop] = await segment.drops()
    assert (drop["route"], drop["call"], drop["at"]) == (route, json.loads(body), "2025-11-20T12:00:00.000Z")
    assert drop["reason"].startswith(reason)


@pytest.mark.parametrize(
    ("odd", "route"),
    [
        (1, ""),
        ({"userId": "kim"}, ""),
        ({"type": "batch", "userId": "kim"}, "batch"),
        ({"type": "whisper", "userId": "kim"}, "whisper"),
        ({"type": 1, "userId": "kim"}, ""),
        (track_call(9, event=""), "track"),
        (track_call(9, userId=7), "track"),
    ],
)
async def test_a_batch_loses_only_what_is_not_valid(segment: Segment, odd: object, route: str) -> None:
    """Its siblings on both sides are applied."""
    sent = await segment.send("batch", batch=[track_call(1), odd, track_call(2)])
    assert sent.json() == {"success": True}
    assert sorted(event["event"] for event in await segment.events("user_id:kim")) == ["E1", "E2"]
    [drop] = await segment.drops()
    assert (drop["route"], drop["call"]) == (route, odd)


async def test_a_dropped_message_may_come_again(segment: Segment) -> None:
    """Its message id stays free for the call as it was meant."""
    await segment.send("track", userId="kim", messageId="m1")
    await segment.track("E", userId="kim", messageId="m1")
    assert len(await segment.events("user_id:kim")) == 1


async def test_a_drop_is_told_in_the_log_without_ids(segment: Segment) -> None:
    """The type and the reason, in one line."""
    with capture_logs() as events:
        await segment.send("track", event="E", userId="kim", anonymousId="a1", messageId="m1", timestamp="canary")
    assert events == [
        {
            "event": "call_dropped",
            "log_level": "warning",
            "route": "track",
            "reason": "The parameter `timestamp` has to be a date or time in ISO 8601.",
        }
    ]


async def test_drops_are_counted_kept_and_forgotten(segment: Segment) -> None:
    """Only the last 200 are kept; `DELETE` and a reset start from zero."""
    for _ in range(201):
        await segment.send("track", userId="kim")
    told = (await segment.http.get("/sandbox/dropped")).json()
    assert (told["total"], len(told["dropped"])) == (201, 200)
    assert (await segment.http.delete("/sandbox/dropped")).status_code == 204
    assert (await segment.http.get("/sandbox/dropped")).json() == {"total": 0, "dropped": []}
    await segment.send("track", userId="kim")
    await segment.http.post("/sandbox/reset")
    assert await segment.drops() == []


async def test_a_writer_without_the_key_is_refused(segment: Segment) -> None:
    """The access token does not write."""
    answer = await segment.http.post("/v1/track", json=track_call(1), auth=("sandbox-token", ""))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "authentication_error")


async def test_only_post_writes(segment: Segment) -> None:
    """Another method is a 405 that names the one allowed."""
    answer = await segment.http.put("/v1/batch", auth=("sandbox-write-key", ""))
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


async def test_a_call_may_have_32_kb(segment: Segment) -> None:
    """A call of 32 KB is taken; one byte more is a 400, as Segment answers."""
    frame = len(json.dumps(track_call(1, properties={"text": ""})))
    body = json.dumps(track_call(1, properties={"text": "x" * (32 * 1024 - frame)})).encode()
    assert len(body) == 32 * 1024
    assert (await segment.post("track", body + b" ")).status_code == 400
    assert (await segment.post("track", body)).status_code == 200


async def test_a_call_in_a_batch_may_have_32_kb_too(segment: Segment) -> None:
    """One call that is too large refuses its batch, and nothing of it is applied."""
    calls = [track_call(1), track_call(2, properties={"text": "x" * 32 * 1024})]
    assert (await segment.send("batch", batch=calls)).status_code == 400
    assert (await segment.read("user_id:kim", "events")).status_code == 404


async def test_a_batch_may_have_500_kb(segment: Segment) -> None:
    """A batch of 500 KB is taken; one byte more is a 400."""
    body = json.dumps({"batch": [track_call(n, properties={"text": "x" * 20_000}) for n in range(20)]}).encode()
    filled = body.ljust(500 * 1024)
    assert (await segment.post("batch", filled + b" ")).status_code == 400
    assert (await segment.post("batch", filled)).json() == {"success": True}
    assert len(await segment.events("user_id:kim")) == 20


async def test_a_batch_may_have_2500_calls(segment: Segment) -> None:
    """A batch of 2,500 calls is taken; one more is a 400."""
    calls = [track_call(number) for number in range(2501)]
    assert (await segment.send("batch", batch=calls)).status_code == 400
    assert (await segment.send("batch", batch=calls[:-1])).json() == {"success": True}


async def test_a_batch_mixes_calls_in_order(segment: Segment) -> None:
    """Calls of a batch are applied one after another, each by its type."""
    calls = [
        {"type": "identify", "userId": "kim", "traits": {"plan": "free"}},
        track_call(1),
        {"type": "identify", "userId": "kim", "traits": {"plan": "pro"}},
    ]
    assert (await segment.send("batch", batch=calls)).status_code == 200
    assert await segment.traits("user_id:kim") == {"plan": "pro"}
    assert [event["message_id"] for event in await segment.events("user_id:kim")] == ["m1"]


async def test_a_batch_that_is_refused_leaves_no_trace(segment: Segment) -> None:
    """A call at its end that is not JSON leaves none of the others, and nothing dropped; message ids stay free."""
    calls = [json.dumps(call).encode() for call in (track_call(1), track_call(2, event=""))]
    broken = b'{"type": "track", "userId": "\xff", "event": "E"}'
    assert (await segment.post("batch", b'{"batch": [%b]}' % b",".join([*calls, broken]))).status_code == 400
    assert (await segment.read("user_id:kim", "events")).status_code == 404
    assert await segment.drops() == []
    assert (await segment.send("batch", batch=[track_call(1)])).status_code == 200
    assert len(await segment.events("user_id:kim")) == 1


@pytest.mark.parametrize("encoding", ["gzip", "GZip"])
async def test_a_call_may_be_gzip(segment: Segment, encoding: str) -> None:
    """As libraries send their batches when they are told to."""
    body = gzip.compress(json.dumps({"batch": [track_call(1), track_call(2)]}).encode())
    answer = await segment.post("batch", body, **{"Content-Encoding": encoding})
    assert answer.json() == {"success": True}
    assert len(await segment.events("user_id:kim")) == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"userId": "kim", "event": "E"}', "The body is not gzip, though its Content-Encoding says so."),
        (gzip.compress(b'{"userId": "kim", "event": "E"}', mtime=0)[:-9], "The body is not gzip, though"),
        (b"", "The body is not gzip, though"),
        (gzip.compress(b" " * (32 * 1024 + 1), mtime=0), "The call is larger than 32 KB."),
        (gzip.compress(b" " * 100_000_000, 1, mtime=0), "The call is larger than 32 KB."),
        (gzip.compress(b"{", mtime=0), "The body is not JSON."),
    ],
)
async def test_gzip_that_cannot_be_taken_is_refused(segment: Segment, body: bytes, message: str) -> None:
    """Also what is small only until it is inflated."""
    answer = await segment.post("track", body, **{"Content-Encoding": "gzip"})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_request_error"
    assert answer.json()["error"]["message"].startswith(message)


async def test_a_message_counts_once(segment: Segment) -> None:
    """A repeated message id changes nothing, for track, for identify, and within a batch."""
    await segment.send("batch", batch=[track_call(1), track_call(1)])
    await segment.track("Again", userId="kim", messageId="m1")
    assert [event["event"] for event in await segment.events("user_id:kim")] == ["E1"]
    await segment.identify(userId="kim", traits={"plan": "free"}, messageId="i1")
    await segment.identify(userId="kim", traits={"plan": "pro"}, messageId="i1")
    assert await segment.traits("user_id:kim") == {"plan": "free"}


async def test_a_repeated_group_or_alias_changes_nothing(segment: Segment) -> None:
    """A message id counts once over all types of calls."""
    await segment.identify(userId="kim", messageId="m1")
    await segment.group(userId="kim", groupId="g1", messageId="m1")
    await segment.alias(userId="kim", previousId="a1", messageId="m1")
    assert (await segment.read("group_id:g1", "traits", collection="accounts")).status_code == 404
    assert await segment.external_ids("user_id:kim") == ["user_id:kim"]


@pytest.mark.parametrize("route", ["page", "screen"])
async def test_a_view_makes_a_profile_and_no_event(segment: Segment, route: str) -> None:
    """A page or screen call leads its ids to one profile, whose events are those of track calls only."""
    call = {"userId": "kim", "anonymousId": "a1", "name": "Home", "category": "Docs", "properties": {"path": "/"}}
    assert (await segment.send(route, **call)).json() == {"success": True}
    assert await segment.external_ids("user_id:kim") == ["anonymous_id:a1", "user_id:kim"]
    assert await segment.events("anonymous_id:a1") == []


async def test_a_batch_takes_calls_of_every_type(segment: Segment) -> None:
    """All types of calls may stand in one batch."""
    types = ("identify", "track", "page", "screen", "group", "alias")
    members = {"userId": "kim", "event": "E", "groupId": "g1", "previousId": "a1"}
    assert (await segment.send("batch", batch=[{"type": one, **members} for one in types])).status_code == 200
    assert len(await segment.events("anonymous_id:a1")) == 1
    assert (await segment.read("group_id:g1", "metadata", collection="accounts")).status_code == 200


async def test_a_call_without_a_time_happens_now(segment: Segment) -> None:
    """An event without a timestamp has the clock's time; one without an offset is in UTC."""
    await segment.track("Now", userId="kim")
    await segment.track("Then", userId="kim", timestamp="2025-11-20T11:00:00")
    events = await segment.events("user_id:kim")
    assert [event["timestamp"] for event in events] == ["2025-11-20T12:00:00.000Z", "2025-11-20T11:00:00.000Z"]


async def test_ids_given_together_lead_to_one_profile(segment: Segment) -> None:
    """An id that comes with a known one is attached to its profile, whichever of the two was known."""
    await segment.identify(anonymousId="a1", traits={"seen": True})
    await segment.identify(userId="kim", anonymousId="a1")
    await segment.identify(userId="kim", anonymousId="a2", traits={"plan": "pro"})
    for external_id in ("user_id:kim", "anonymous_id:a1", "anonymous_id:a2"):
        assert await segment.traits(external_id) == {"plan": "pro", "seen": True}


async def test_two_new_ids_make_one_profile(segment: Segment) -> None:
    """Ids that are both new lead to one new profile."""
    await segment.identify(userId="kim", anonymousId="a1", traits={"plan": "pro"})
    assert await segment.traits("user_id:kim") == await segment.traits("anonymous_id:a1") == {"plan": "pro"}


async def test_logging_in_loses_nothing(segment: Segment) -> None:
    """When an anonymous profile turns out to be a known user, the user gets its ids, traits and events."""
    for title in ("one", "two"):
        await segment.track("Post Viewed", {"category": "Travel", "title": title}, anonymousId="a1")
    early, late = "2025-11-19T08:00:00Z", "2025-11-19T09:00:00Z"
    await segment.identify(anonymousId="a1", traits={"city": "Bonn", "colour": "red"}, timestamp=late)
    await segment.identify(userId="kim", traits={"city": "Ulm", "plan": "pro"}, timestamp=early)
    await segment.track("Post Viewed", {"category": "Cooking"}, userId="kim")
    await segment.track("Logged In", userId="kim", anonymousId="a1")
    expected = {"city": "Bonn", "colour": "red", "favorite_blog_category": "Travel", "plan": "pro"}
    assert await segment.traits("user_id:kim") == await segment.traits("anonymous_id:a1") == expected
    assert len(await segment.events("anonymous_id:a1")) == 4


async def test_two_people_with_one_browser_stay_two(segment: Segment) -> None:
    """An anonymous id that belongs to a user stays with that user when somebody else logs in."""
    await segment.identify(userId="kim", anonymousId="a1", traits={"plan": "pro"})
    await segment.identify(userId="lee", anonymousId="a1", traits={"plan": "free"})
    assert await segment.traits("user_id:lee") == {"plan": "free"}
    assert await segment.traits("anonymous_id:a1") == {"plan": "pro"}
