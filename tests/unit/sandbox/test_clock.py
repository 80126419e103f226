"""The clock that can be moved."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from personalize.sandbox import moments
from tests.unit.sandbox.conftest import Segment, StillClock


async def moved(http: httpx.AsyncClient, **move: str) -> dict[str, Any]:
    """Move the clock; return what time it is then."""
    answer = await http.post("/sandbox/clock", json=move)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_time_is_told(http: httpx.AsyncClient) -> None:
    """The sandbox tells its time, which is the real one until it is moved."""
    assert (await http.get("/sandbox/clock")).json() == {"now": "2025-11-20T12:00:00.000Z", "ahead_seconds": 0}


async def test_a_clock_is_advanced_and_goes_on(http: httpx.AsyncClient, clock: StillClock) -> None:
    """Spans add up, may be negative, and time goes on from there."""
    assert (await moved(http, advance="48h"))["now"] == "2025-11-22T12:00:00.000Z"
    clock.pass_by(minutes=1)
    assert await moved(http, advance="-30m") == {"now": "2025-11-22T11:31:00.000Z", "ahead_seconds": 47.5 * 3600}


async def test_a_clock_is_set_and_set_back(http: httpx.AsyncClient) -> None:
    """A clock is set to a moment, before or after, and `DELETE` lets it be the real time again."""
    assert (await moved(http, at="2026-01-01T00:00:00+01:00"))["now"] == "2025-12-31T23:00:00.000Z"
    assert (await moved(http, at="2024-02-29"))["now"] == "2024-02-29T00:00:00.000Z"
    assert (await http.delete("/sandbox/clock")).json() == {"now": "2025-11-20T12:00:00.000Z", "ahead_seconds": 0}


async def test_reset_sets_the_clock_back(http: httpx.AsyncClient) -> None:
    """After a reset it is the real time."""
    await moved(http, advance="1d")
    await http.post("/sandbox/reset")
    assert (await http.get("/sandbox/clock")).json()["ahead_seconds"] == 0


async def test_events_age_with_the_clock(segment: Segment, http: httpx.AsyncClient) -> None:
    """Two weeks on, an event of today is out of the Profile API's reach."""
    await segment.track("E", userId="kim")
    await moved(http, advance="14d")
    assert len(await segment.events("user_id:kim")) == 1
    await moved(http, advance="1ms")
    assert await segment.events("user_id:kim") == []


async def test_the_first_days_of_the_calendar_have_their_events(segment: Segment, http: httpx.AsyncClient) -> None:
    """Though nothing can be fourteen days before them."""
    await moved(http, at="0001-01-02")
    await segment.track("E", userId="kim")
    assert len(await segment.events("user_id:kim")) == 1


async def test_an_audience_is_left_and_entered_again_with_the_clock(segment: Segment, http: httpx.AsyncClient) -> None:
    """Moving the clock out of a window leaves its audience, and moving it back enters it."""
    audience = "3_product_views_in_last_60_days"
    for _ in range(3):
        await segment.track("Product Viewed", userId="kim")
    found = []
    for span in ("60d", "1ms", "-1ms"):
        await moved(http, advance=span)
        found.append((await segment.traits("user_id:kim", f"include={audience}"))[audience])
    assert found == [True, False, True]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "JSON"),
        (b"{}", "`advance` or `at`"),
        (b'{"advance": "1d", "at": "2026-01-01"}', "`advance` or `at`"),
        (b'{"advance": 5}', "advance"),
        (b'{"advance": "soon"}', "`advance` has to be a number and a unit"),
        (b'{"advance": "999999999d"}', "`advance` leads out of"),
        (b'{"advance": "9999999999d"}', "`advance` has to be"),
        (b'{"at": "noon"}', "`at` has to be"),
        (b'{"to": "2026-01-01"}', "`to`"),
    ],
)
async def test_a_wrong_move_is_refused(http: httpx.AsyncClient, body: bytes, named: str) -> None:
    """A move that cannot be meant is a 400 that names the field, and the clock stays."""
    answer = await http.post("/sandbox/clock", content=body)
    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]
    assert (await http.get("/sandbox/clock")).json()["ahead_seconds"] == 0


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("60d", timedelta(days=60)),
        ("48h", timedelta(hours=48)),
        ("-90m", timedelta(minutes=-90)),
        ("5s", timedelta(seconds=5)),
        ("250ms", timedelta(milliseconds=250)),
    ],
)
def test_a_span_has_a_unit(text: str, span: timedelta) -> None:
    """Spans are written as a whole number and a unit."""
    assert moments.span(text) == span
