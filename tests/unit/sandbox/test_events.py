"""The Profile API's events route."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Segment, StillClock


async def test_an_event_has_the_documented_shape(segment: Segment) -> None:
    """An event carries its ids, context, type, message id, source, time, properties, name and profile."""
    await segment.track(
        "Page Read",
        {"depth": 0.5},
        userId="kim",
        anonymousId="a1",
        messageId="m1",
        timestamp="2025-11-19T08:00:00.1234Z",
        context={"ip": "203.0.113.7"},
    )
    answer = (await segment.read("anonymous_id:a1", "events")).json()
    (event,) = answer["data"]
    assert event.pop("related")["users"].startswith("use_")
    assert event == {
        "external_ids": [
            {"collection": "users", "type": "user_id", "id": "kim", "encoding": "none"},
            {"collection": "users", "type": "anonymous_id", "id": "a1", "encoding": "none"},
        ],
        "context": {"ip": "203.0.113.7"},
        "type": "track",
        "message_id": "m1",
        "source_id": "sandbox",
        "timestamp": "2025-11-19T08:00:00.123Z",
        "properties": {"depth": 0.5},
        "event": "Page Read",
    }
    assert answer["cursor"] == {"url": "", "has_more": False, "next": "", "limit": 10}


@pytest.mark.parametrize(("sort", "step"), [("", -1), ("sort=desc&", -1), ("sort=asc&", 1)])
async def test_following_the_cursors_gives_every_event_once(segment: Segment, sort: str, step: int) -> None:
    """Pages hold every event once, newest first unless asked otherwise, also where times are equal."""
    names = [f"Event {number:02}" for number in range(25)]
    for number, name in enumerate(names):
        at = f"2025-11-19T08:{number // 5:02}:00Z"
        await segment.track(name, userId="kim", messageId=f"m{number:02}", timestamp=at)
    answer = (await segment.read("user_id:kim", "events", f"{sort}limit=4&include={','.join(names)}")).json()
    seen = [event["event"] for event in answer["data"]]
    while answer["cursor"]["has_more"]:
        answer = (await segment.http.get(answer["cursor"]["url"], auth=("sandbox-token", ""))).json()
        seen += [event["event"] for event in answer["data"]]
    assert seen == names[::step]


async def test_next_is_the_base64_of_nanoseconds_and_message_id(segment: Segment) -> None:
    """The opaque cursor is written as Segment writes it."""
    for number in (1, 2):
        await segment.track("E", userId="kim", messageId=f"m{number}", timestamp=f"2025-11-19T08:00:0{number}Z")
    cursor = (await segment.read("user_id:kim", "events", "limit=1")).json()["cursor"]
    assert base64.b64decode(cursor["next"]) == b"1763539201000000000::m1"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("include=A,C", ["A", "C"]),
        ("include=A&include=C", ["A", "C"]),
        ("exclude=A,C", ["B b"]),
        ("include=A,B%20b&exclude=A", ["B b"]),
        ("include=nothing", []),
        ("start=2025-11-18", ["B b", "C"]),
        ("end=2025-11-18T08:00:00Z", ["A"]),
    ],
)
async def test_parameters_select_events(segment: Segment, query: str, expected: list[str]) -> None:
    """Events are selected by names to include or exclude, and by time: from `start` on, before `end`."""
    for day, name in ((17, "A"), (18, "B b"), (19, "C")):
        await segment.track(name, userId="kim", timestamp=f"2025-11-{day}T08:00:00Z")
    events = await segment.events("user_id:kim", f"sort=asc&{query}")
    assert [event["event"] for event in events] == expected


async def test_names_are_compared_whole(segment: Segment) -> None:
    """Also behind a NUL, where some would take a text to end."""
    for name in ("A", "A\0b"):
        await segment.track(name, userId="kim")
        await segment.identify(userId="kim", traits={name: 1})
    included = {
        query: await segment.events("user_id:kim", query) for query in ("include=A%00b", "exclude=A", "exclude=A%00c")
    }
    assert [[event["event"] for event in events] for events in included.values()][:2] == [["A\0b"], ["A\0b"]]
    assert len(included["exclude=A%00c"]) == 2
    assert await segment.traits("user_id:kim", "include=A%00b") == {"A\0b": 1}


async def test_events_are_readable_for_fourteen_days(segment: Segment, clock: StillClock) -> None:
    """An older event is not answered, whatever `start` says, though its profile stays."""
    await segment.track("E", userId="kim")
    clock.pass_by(days=14)
    assert len(await segment.events("user_id:kim")) == 1
    clock.pass_by(seconds=1)
    assert await segment.events("user_id:kim", "start=2020-01-01") == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=101",
        "limit=0",
        "sort=up",
        "start=yesterday",
        "end=0001-01-01T00:00:00%2B14:00",
        "next=%21",
        "next=" + base64.b64encode(b"soon::m1").decode(),
        "next=" + base64.b64encode(b"1").decode(),
        "next=" + base64.b64encode(b"9" * 30 + b"::m1").decode(),
        "next=" + base64.b64encode(b"\xff").decode(),
    ],
)
async def test_a_parameter_that_cannot_be_read_is_refused(segment: Segment, query: str) -> None:
    """A bad limit, order, time or cursor is a 400 `validation_error` that names the parameter."""
    answer = await segment.read("user_id:ada", "events", query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "validation_error")
    assert f"`{query.partition('=')[0]}`" in answer.json()["error"]["message"]
