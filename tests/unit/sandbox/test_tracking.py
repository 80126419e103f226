"""The Tracking API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

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
        ("track", b"[]"),
        ("track", b'"text"'),
        ("track", b"[" * 5000),
        ("track", b'{"userId": "kim", "event": "E", "properties": {"n": ' + b"1" * 5000 + b"}}"),
        ("track", b'{"userId": "kim"}'),
        ("track", b'{"userId": "kim", "event": ""}'),
        ("track", b'{"userId": "kim", "event": 1}'),
        ("track", b'{"userId": 1, "event": "E"}'),
        ("track", b'{"userId": "", "anonymousId": null, "event": "E"}'),
        ("track", b'{"event": "E"}'),
        ("track", b'{"userId": "kim", "event": "E", "timestamp": "noon"}'),
        ("track", b'{"userId": "kim", "event": "E", "timestamp": "9999-12-31T23:59:59-14:00"}'),
        ("track", b'{"userId": "kim", "event": "E", "properties": []}'),
        ("identify", b'{"traits": {"a": 1}}'),
        ("page", b'{"name": "Home"}'),
        ("screen", b'{"userId": "kim", "context": []}'),
        ("group", b'{"userId": "kim", "groupId": 1}'),
        ("group", b'{"groupId": "g1"}'),
        ("group", b'{"userId": "kim", "groupId": "g1", "traits": []}'),
        ("alias", b'{"userId": "kim", "previousId": ["a1"]}'),
        ("identify", b'{"userId": "kim", "traits": "a"}'),
        ("batch", b"{}"),
        ("batch", b'{"batch": {}}'),
        ("batch", b'{"batch": [1]}'),
        ("batch", b'{"batch": [{"userId": "kim"}]}'),
        ("batch", b'{"batch": [{"type": "batch", "userId": "kim"}]}'),
        ("batch", b'{"batch": [{"type": "whisper", "userId": "kim"}]}'),
    ],
)
async def test_a_call_that_cannot_be_read_is_refused(segment: Segment, route: str, body: bytes) -> None:
    """A body that is not JSON, or not such a call, is a 400 in JSON and creates no profile."""
    answer = await segment.post(route, body)
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"code", "message"}
    assert (await segment.read("user_id:kim", "traits")).status_code == 404


async def test_a_writer_without_the_key_is_refused(segment: Segment) -> None:
    """The access token does not write."""
    answer = await segment.http.post("/v1/track", json=track_call(1), auth=("sandbox-token", ""))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "authentication_error")


async def test_only_post_writes(segment: Segment) -> None:
    """Another method is a 405 that names the one allowed."""
    answer = await segment.http.put("/v1/batch", auth=("sandbox-write-key", ""))
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


async def test_a_call_may_have_32_kb(segment: Segment) -> None:
    """A call of 32 KB is taken; one byte more is a 413."""
    frame = len(json.dumps(track_call(1, properties={"text": ""})))
    body = json.dumps(track_call(1, properties={"text": "x" * (32 * 1024 - frame)})).encode()
    assert len(body) == 32 * 1024
    assert (await segment.post("track", body + b" ")).status_code == 413
    assert (await segment.post("track", body)).status_code == 200


async def test_a_call_in_a_batch_may_have_32_kb_too(segment: Segment) -> None:
    """One call that is too large refuses its batch, and nothing of it is applied."""
    calls = [track_call(1), track_call(2, properties={"text": "x" * 32 * 1024})]
    assert (await segment.send("batch", batch=calls)).status_code == 413
    assert (await segment.read("user_id:kim", "events")).status_code == 404


async def test_a_batch_may_have_500_kb(segment: Segment) -> None:
    """A batch of 500 KB is taken; one byte more is a 413."""
    body = json.dumps({"batch": [track_call(n, properties={"text": "x" * 20_000}) for n in range(20)]}).encode()
    filled = body.ljust(500 * 1024)
    assert (await segment.post("batch", filled + b" ")).status_code == 413
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


async def test_a_batch_is_applied_whole_or_not_at_all(segment: Segment) -> None:
    """A bad call at the end of a batch leaves no trace of the others, whose message ids stay free."""
    calls = [track_call(1), track_call(2, event="")]
    assert (await segment.send("batch", batch=calls)).status_code == 400
    assert (await segment.read("user_id:kim", "events")).status_code == 404
    assert (await segment.send("batch", batch=calls[:1])).status_code == 200
    assert len(await segment.events("user_id:kim")) == 1


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
