"""The history that a sandbox begins with."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest

from personalize.sandbox.app import create_sandbox
from personalize.sandbox.history import WrongLine
from tests.unit.sandbox.conftest import Segment, StillClock, talking_to


def line(**members: Any) -> bytes:
    return json.dumps({"type": "track", "event": "E", "userId": "kim", **members}).encode() + b"\n"


async def names(segment: Segment) -> list[str]:
    """Return the names of the events, oldest first."""
    return [event["event"] for event in await segment.events("user_id:kim", "limit=100&sort=asc")]


async def test_reset_brings_the_history_back(clock: StillClock) -> None:
    """After a reset all is as on the first start, the history as well as the visitors."""
    history = [line(event="First"), b"\n", line(event="Second", timestamp="2025-11-20T13:00:00Z")]
    async with talking_to(create_sandbox(history=iter(history), clock=clock, rate_limit=0)) as segment:
        for _ in range(2):
            await segment.track("Third", userId="kim", timestamp="2025-11-20T14:00:00Z")
            await segment.identify(userId="ada", traits={"first_name": "Eve"})
            assert (await segment.http.post("/sandbox/reset")).status_code == 204
            assert await names(segment) == ["First", "Second"]
            assert (await segment.traits("user_id:ada"))["first_name"] == "Ada"


async def test_a_history_may_begin_with_a_byte_order_mark(clock: StillClock) -> None:
    """As some editors write it; what comes of the line is what would without it, also after a reset."""
    history = [codecs.BOM_UTF8 + line(event="First"), line(event="Second")]
    async with talking_to(create_sandbox(history=iter(history), clock=clock, rate_limit=0)) as segment:
        assert sorted(await names(segment)) == ["First", "Second"]
        assert (await segment.http.post("/sandbox/reset")).status_code == 204
        assert sorted(await names(segment)) == ["First", "Second"]


async def test_the_same_history_twice_is_one(tmp_path: Path, clock: StillClock) -> None:
    """With kept profiles; equal lines are two calls, and lines that are new are added."""
    lines = [line(), line(), line(messageId="m1"), line(messageId="")]
    for history, times in ((lines, 4), (lines, 4), ([*lines, line()], 5)):
        app = create_sandbox(database=str(tmp_path / "data"), history=history, clock=clock, rate_limit=0)
        async with talking_to(app) as segment:
            assert len(await names(segment)) == times


async def test_a_line_is_applied_as_it_was_written(clock: StillClock) -> None:
    """What is added to it is a message id of its own, and no digit of a number is lost."""
    properties = {"n": 12345678901234567890123, "x": 0.1, "text": "é\\u00e9"}
    async with talking_to(create_sandbox(history=[line(properties=properties)], clock=clock)) as segment:
        [event] = await segment.events("user_id:kim")
    assert event["properties"] == properties
    assert event["message_id"].startswith("line-")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (b"{", "line 2: The body is not JSON."),
        (b"[]", "line 2: Expected `object`, got `array`."),
        (b'{"userId": "kim"}', "line 2: The parameter `type` has to be one of identify, "),
        (line(event=""), "line 2: The parameter `event` is required."),
        (line(messageId=1), "line 2: Expected `str | null`, got `int` - at `$.messageId`."),
        (line(text="x" * 33_000), "line 2: The call is larger than 32 KB."),
    ],
)
def test_a_wrong_line_is_told_by_its_number(wrong: bytes, reason: str) -> None:
    """Nothing is dropped here: whoever wrote the file wants to know."""
    with pytest.raises(WrongLine) as refused:
        create_sandbox(history=[line(), wrong, line()])
    assert str(refused.value).startswith(reason)
