"""The control API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

from personalize.sandbox.calls import Call, Calls, Recorded
from tests.unit.sandbox.conftest import Segment, StillClock

if TYPE_CHECKING:
    import httpx
    from starlette.types import Message, Receive, Scope, Send


async def test_calls_of_both_apis_are_recorded(segment: Segment, http: httpx.AsyncClient) -> None:
    """Every call is kept as it was sent, refused ones too; pages and the control API do not count."""
    await segment.read("user_id:a/b", "traits", "include=x%20y")
    await segment.track("E", userId="kim")
    await http.get("/")
    recorded = (await http.get("/sandbox/calls")).json()
    assert recorded == {
        "total": 2,
        "calls": [
            {
                "method": "GET",
                "path": "/v1/spaces/sandbox/collections/users/profiles/user_id%3Aa%2Fb/traits?include=x%20y",
                "route": "traits",
                "status": 404,
                "at": "2025-11-20T12:00:00.000Z",
            },
            {"method": "POST", "path": "/v1/track", "route": "track", "status": 200, "at": "2025-11-20T12:00:00.000Z"},
        ],
    }


async def test_a_call_is_recorded_before_it_is_answered() -> None:
    """Without a status, until its answer starts."""
    calls = Calls()
    seen: list[Call] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        seen.extend(calls.last())

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend(calls.last())
        await PlainTextResponse("there")(scope, receive, send)

    scope = {"type": "http", "method": "GET", "raw_path": b"/v1/x/traits", "query_string": b""}
    await Recorded(answer, calls, StillClock())(scope, receive, send)
    assert [(call.route, call.status) for call in seen] == [("traits", None), ("traits", 200), ("traits", 200)]


def test_a_call_that_was_forgotten_stays_so() -> None:
    """Also when it is answered afterwards."""
    calls = Calls()
    first = calls.add(Call("GET", "/1", "traits", ""))
    calls.forget()
    second = calls.add(Call("GET", "/2", "traits", ""))
    calls.answered(first, 200)
    calls.answered(second, 404)
    assert [(call.path, call.status) for call in calls.last()] == [("/2", 404)]


async def test_calls_can_be_asked_by_route(segment: Segment, http: httpx.AsyncClient) -> None:
    """`?route=` selects calls and their total."""
    for route in ("traits", "events", "traits"):
        await segment.read("user_id:ada", route)
    recorded = (await http.get("/sandbox/calls?route=traits")).json()
    assert (recorded["total"], [call["route"] for call in recorded["calls"]]) == (2, ["traits", "traits"])
    assert (await http.get("/sandbox/calls?route=batch")).json() == {"total": 0, "calls": []}


async def test_calls_can_be_forgotten(segment: Segment, http: httpx.AsyncClient) -> None:
    """`DELETE /sandbox/calls` starts from zero, and leaves profiles alone."""
    await segment.track("E", userId="kim")
    assert (await http.delete("/sandbox/calls")).status_code == 204
    assert (await http.get("/sandbox/calls")).json() == {"total": 0, "calls": []}
    assert len(await segment.events("user_id:kim")) == 1


def test_old_calls_are_dropped_and_still_counted() -> None:
    """Only the last calls are kept, so that a long benchmark does not fill the memory."""
    calls = Calls(kept=2)
    for number in range(5):
        calls.add(Call("GET", f"/{number}", "traits", ""))
    assert calls.total() == calls.total("traits") == 5
    assert [call.path for call in calls.last()] == ["/3", "/4"]


async def test_reset_brings_the_seeded_visitors_back(segment: Segment, http: httpx.AsyncClient) -> None:
    """After a reset all is as on the first start: visitors, their events, and no calls."""
    before = [await segment.traits("user_id:ada"), await segment.events("user_id:ada")]
    await segment.identify(userId="ada", traits={"first_name": "Eve"})
    await segment.identify(userId="kim")
    assert (await http.post("/sandbox/reset")).status_code == 204
    assert (await http.get("/sandbox/calls")).json()["total"] == 0
    assert [await segment.traits("user_id:ada"), await segment.events("user_id:ada")] == before
    assert (await segment.read("user_id:kim", "traits")).status_code == 404


async def test_health_answers(http: httpx.AsyncClient) -> None:
    """The health route answers 200."""
    assert (await http.get("/sandbox/health")).status_code == 200
