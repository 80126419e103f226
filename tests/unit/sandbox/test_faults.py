"""Faults of the Profile API, told through the control API."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse

from personalize import listening
from personalize.sandbox import ACCESS_TOKEN
from personalize.sandbox.app import create_sandbox
from personalize.sandbox.calls import Calls, Recorded
from personalize.sandbox.faults import Fault, Faults
from personalize.sandbox.faulty import GARBAGE, Faulty
from tests.unit.sandbox.conftest import Segment, StillClock

ADA = "/v1/spaces/sandbox/collections/users/profiles/user_id:ada"


async def told(http: httpx.AsyncClient, **fault: Any) -> list[dict[str, Any]]:
    """Tell a fault; return those that there are then."""
    answer = await http.post("/sandbox/faults", json=fault)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["faults"])


async def statuses(segment: Segment, *routes: str) -> list[int]:
    """Return the statuses of calls, one after another."""
    return [(await segment.read("user_id:ada", route)).status_code for route in routes]


async def test_a_fault_happens_so_many_times(segment: Segment) -> None:
    """A fault with `times` happens to that many calls, and is told with the times that are left."""
    (fault,) = await told(segment.http, route="traits", status=503, times=2)
    assert fault == {"route": "traits", "status": 503, "times": 2}
    assert await statuses(segment, "traits") == [503]
    left = (await segment.http.get("/sandbox/faults")).json()["faults"]
    assert left == [{"route": "traits", "status": 503, "times": 1}]
    assert await statuses(segment, "traits", "traits") == [503, 200]
    assert (await segment.http.get("/sandbox/faults")).json() == {"faults": []}


async def test_a_fault_happens_until_it_is_cleared(segment: Segment) -> None:
    """A fault without `times` happens to every call of its route until `DELETE`; without a route, to all."""
    await told(segment.http, route="events", status=500)
    assert await statuses(segment, "events", "traits", "events") == [500, 200, 500]
    await told(segment.http, status=502)
    assert await statuses(segment, "events", "traits") == [502, 502]
    assert (await segment.http.delete("/sandbox/faults")).status_code == 204
    assert await statuses(segment, "events", "traits") == [200, 200]


async def test_the_last_told_fault_happens_first(segment: Segment) -> None:
    """A fault that is told later goes before, and gives way once it is used up."""
    await told(segment.http, status=500)
    await told(segment.http, route="traits", status=429, times=1)
    assert await statuses(segment, "traits", "events", "traits") == [429, 500, 500]


async def test_reset_clears_faults(segment: Segment) -> None:
    """After a reset the Profile API behaves."""
    await told(segment.http, status=500)
    await segment.http.post("/sandbox/reset")
    assert await statuses(segment, "traits") == [200]


async def test_every_route_is_every_one_of_the_profile_api(segment: Segment) -> None:
    """Writing goes on, so that a test can let reading fail; a route of the Tracking API fails by its name."""
    await told(segment.http, status=500)
    await segment.track("E", userId="kim")
    await told(segment.http, route="track", status=503, times=1)
    assert (await segment.send("track", event="E", userId="kim")).status_code == 503
    assert (await segment.send("track", event="E", userId="kim")).status_code == 200
    await told(segment.http, route="batch", kind="garbage")
    assert (await segment.send("batch", batch=[])).content == GARBAGE


async def test_a_tracking_call_that_is_answered_with_a_fault_is_not_applied(segment: Segment) -> None:
    """But one whose answer only arrives badly is."""
    await told(segment.http, route="track", status=500, times=1)
    await segment.send("track", event="E", userId="kim")
    assert (await segment.read("user_id:kim", "events")).status_code == 404
    await told(segment.http, route="track", kind="drip", pace_ms=0, times=1)
    await segment.send("track", event="E", userId="kim")
    assert len(await segment.events("user_id:kim")) == 1


async def test_a_code_is_any_text(segment: Segment) -> None:
    """For what Segment may say one day."""
    await told(segment.http, status=400, code="space_suspended")
    answer = await segment.read("user_id:ada", "traits")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "space_suspended")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (404, "not_found"),
        (429, "rate_limit_error"),
        (503, "server_error"),
    ],
)
async def test_an_error_has_segments_shape(segment: Segment, status: int, code: str) -> None:
    """An error has a code and a request id as any other; it is counted as a call."""
    await told(segment.http, status=status)
    answer = await segment.read("user_id:ada", "traits")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers["Request-Id"]
    assert "Retry-After" not in answer.headers
    (call,) = (await segment.http.get("/sandbox/calls")).json()["calls"]
    assert call["status"] == status


@pytest.mark.parametrize("retry_after", ["5", "Wed, 21 Oct 2026 07:28:00 GMT", "soon", "1e9", ""])
async def test_a_retry_after_is_any_text(segment: Segment, retry_after: str) -> None:
    """`retry_after` is sent as it is told, be it seconds, a date or nonsense."""
    await told(segment.http, status=429, retry_after=retry_after)
    assert (await segment.read("user_id:ada", "traits")).headers["Retry-After"] == retry_after


@pytest.mark.parametrize(("status", "expected"), [(None, 200), (502, 502)])
async def test_garbage_is_html(segment: Segment, status: int | None, expected: int) -> None:
    """Garbage is a web page with 200, or with the status that is told."""
    await told(segment.http, kind="garbage", status=status)
    answer = await segment.read("user_id:ada", "traits")
    assert (answer.status_code, answer.content) == (expected, GARBAGE)
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "JSON"),
        (b"[]", "object"),
        (b'{"route": "trait"}', "`route` has to be one of *, traits"),
        (b'{"latency_ms": -1}', "latency_ms"),
        (b'{"latency_ms": "1s"}', "latency_ms"),
        (b'{"jitter_ms": 60001}', "jitter_ms"),
        (b'{"status": 200}', "status"),
        (b'{"status": 600}', "status"),
        (b'{"retry_after": "5"}', "`retry_after` needs a `status`"),
        (b'{"code": "not_found"}', "`code` needs a `status`"),
        (b'{"status": 400, "code": 7}', "code"),
        (b'{"status": 429, "retry_after": 5}', "retry_after"),
        (b'{"status": 429, "retry_after": "5\\r\\nX: y"}', "retry_after"),
        (b'{"kind": "explode"}', "kind"),
        (b'{"times": 0}', "times"),
        (b'{"rout": "traits"}', "`rout`"),
    ],
)
async def test_a_wrong_fault_is_refused(segment: Segment, body: bytes, named: str) -> None:
    """A fault that cannot be meant is a 400 that names the field, and does not happen."""
    answer = await segment.http.post("/sandbox/faults", content=body)
    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]
    assert await statuses(segment, "traits") == [200]


@pytest.mark.parametrize(
    ("latency", "jitter", "chance", "seconds"),
    [(200, 0, 0.9, 0.2), (200, 50, 0, 0.15), (200, 50, 1, 0.25), (10, 50, 0, 0), (0, 0, 0.5, 0)],
)
async def test_latency_is_off_by_jitter(latency: float, jitter: float, chance: float, seconds: float) -> None:
    """A call waits for the latency, give or take the jitter, and never less than no time; then it is answered."""
    waited = []

    async def wait(span: float) -> None:
        waited.append(span)

    faults = Faults()
    faults.add(Fault(latency_ms=latency, jitter_ms=jitter))
    app = Faulty(PlainTextResponse("late"), faults, lambda: chance, wait)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://sandbox.test") as http:
        assert (await http.get("/v1/traits")).text == "late"
    assert waited == [pytest.approx(seconds)]


async def test_a_drip_is_paced() -> None:
    """A dripping answer is sent byte by byte, with a wait after each."""
    waited, sent = [], []

    async def wait(span: float) -> None:
        waited.append(span)

    async def send(message: Any) -> None:
        sent.append(message.get("body"))

    faults = Faults()
    faults.add(Fault(kind="drip", pace_ms=30))
    scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "headers": []}
    await Faulty(PlainTextResponse("abc"), faults, wait=wait)(scope, _nothing, send)
    assert (sent, waited) == ([None, b"a", b"b", b"c", b""], [0, 0.03, 0.03, 0.03])


async def test_a_reset_is_recorded_without_a_status() -> None:
    """A call that got no answer counts, with status 0."""
    calls, faults = Calls(), Faults()
    faults.add(Fault(kind="reset"))
    app = Recorded(Faulty(PlainTextResponse("never"), faults), calls, StillClock())
    scope = {"type": "http", "method": "GET", "raw_path": b"/v1/x/traits", "query_string": b""}
    await app(scope, _nothing, _nowhere)
    assert [(call.route, call.status) for call in calls.last()] == [("traits", 0)]


@pytest.fixture
def served() -> Iterator[httpx.Client]:
    """Yield a client of a sandbox that a real server serves."""
    with listening.bind("127.0.0.1", 0) as listener:
        host, port = listener.getsockname()
        with (
            listening.companion(create_sandbox(), listener),
            httpx.Client(base_url=f"http://{host}:{port}", auth=(ACCESS_TOKEN, ""), timeout=10) as http,
        ):
            yield http


def test_a_reset_closes_the_connection_without_an_answer(served: httpx.Client) -> None:
    """Over a real connection a reset is a close with not one byte of an answer; the next call is answered."""
    served.post("/sandbox/faults", json={"kind": "reset", "times": 2})
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        served.get(f"{ADA}/traits")
    with socket.create_connection((served.base_url.host, served.base_url.port or 0), timeout=10) as raw:
        raw.sendall(f"GET {ADA}/traits HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert raw.recv(1) == b""
    assert served.get(f"{ADA}/traits").status_code == 200


def test_a_truncated_answer_ends_in_its_middle(served: httpx.Client) -> None:
    """Over a real connection a truncated answer has fewer bytes than its Content-Length says."""
    whole = served.get(f"{ADA}/traits").content
    served.post("/sandbox/faults", json={"route": "traits", "kind": "truncate", "times": 1})
    with served.stream("GET", f"{ADA}/traits") as answer:
        assert (answer.status_code, int(answer.headers["Content-Length"])) == (200, len(whole))
        chunks = answer.iter_raw()
        assert whole.startswith(next(chunks))
        with pytest.raises(httpx.RemoteProtocolError, match=f"received {len(whole) // 2} bytes, expected {len(whole)}"):
            list(chunks)
    assert served.get(f"{ADA}/traits").content == whole


def test_a_dripping_answer_arrives_whole(served: httpx.Client) -> None:
    """Over a real connection a dripping answer comes in many pieces, and is complete in the end."""
    whole = served.get(f"{ADA}/traits?include=city").content
    served.post("/sandbox/faults", json={"route": "traits", "kind": "drip", "pace_ms": 1, "times": 1})
    with served.stream("GET", f"{ADA}/traits?include=city") as answer:
        chunks = list(answer.iter_raw())
    assert len(chunks) > 1
    assert b"".join(chunks) == whole


async def _nothing() -> Any:
    await asyncio.Event().wait()


async def _nowhere(_message: Any) -> None:
    """Take a message as a server that does not object."""
