"""Whatever goes wrong in the sandbox itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from personalize.sandbox.app import create_sandbox
from personalize.sandbox.failsafe import Failsafe
from tests.unit.sandbox.conftest import Segment, talking_to

FAILED = {"error": {"code": "server_error", "message": "The sandbox failed: its log says where."}}


@pytest.fixture
async def ended() -> AsyncIterator[Segment]:
    """Yield a sandbox whose database is closed, so that whatever needs it fails."""
    app = create_sandbox()
    async with talking_to(app):
        pass
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox.test:8100") as client:
        yield Segment(client)


async def test_a_defect_is_a_500_in_json_and_one_line_of_the_log(ended: Segment) -> None:
    """Of either API; the log says where it broke and not what was asked, and of what repeats no more for a while."""
    with capture_logs() as events:
        answers = [await ended.read("user_id:canary", "traits"), await ended.send("track", event="E", userId="canary")]
    for answer in answers:
        assert (answer.status_code, answer.json()) == (500, FAILED)
    assert [event["request_id"] for event in events] == [answers[0].headers["Request-Id"]]
    assert {(event["event"], event["error"]) for event in events} == {("answer_failed", "ProgrammingError")}
    assert "canary" not in str(events)


async def test_a_defect_is_recorded_as_a_call(ended: Segment) -> None:
    """With its status."""
    await ended.read("user_id:ada", "traits")
    [call] = (await ended.http.get("/sandbox/calls")).json()["calls"]
    assert call["status"] == 500


async def test_the_control_api_fails_so_too(ended: Segment) -> None:
    """And whatever else there is."""
    answer = await ended.http.post("/sandbox/reset")
    assert (answer.status_code, answer.json()) == (500, FAILED)
    assert answer.headers["Request-Id"]


async def test_an_answer_under_way_is_left_as_it_is() -> None:
    """A second one cannot follow; the server then closes the connection."""
    sent: list[Any] = []

    async def broken(_scope: object, _receive: object, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise KeyError

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    with capture_logs() as events:
        await Failsafe(broken)({"type": "http"}, receive, send)
    assert sent == ["http.response.start"]
    assert [event["event"] for event in events] == ["answer_failed"]
