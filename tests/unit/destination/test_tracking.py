"""Sending batches: until they are taken, no faster than may be, and in words when it is in vain."""

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from personalize.destination.tracking import LONGEST_PAUSE, TRIES, BatchRefused, Pace, TrackingApi
from personalize.errors import SyncError

URL = "https://tracking.example.com/v1"


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def api(clock: Clock, answer: Callable[[httpx.Request], httpx.Response], rate: float = 0) -> Iterator[TrackingApi]:
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        yield TrackingApi(URL, client, rate=rate, pace=Pace(lambda: clock.now, clock.sleep, lambda: 1.0))


def answering(*answers: httpx.Response | Exception) -> Callable[[httpx.Request], httpx.Response]:
    """Return what answers one after the other, and then always as the last."""
    left = list(answers)

    def answer(_: httpx.Request) -> httpx.Response:
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, Exception):
            raise one
        return one

    return answer


def test_a_batch_is_gzipped_json_under_the_write_key(clock: Clock) -> None:
    """In order, with Basic credentials that have no password."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"success": True})

    for one in api(clock, answer):
        one.send("key", [b'{"a":1}', b'{"b":2}'])
    [request] = sent
    assert str(request.url) == f"{URL}/batch"
    assert json.loads(gzip.decompress(request.content)) == {"batch": [{"a": 1}, {"b": 2}]}
    assert request.headers["Authorization"] == "Basic a2V5Og=="
    assert clock.slept == []


def test_what_passes_is_tried_again(clock: Clock) -> None:
    """With longer and longer pauses, and no shorter ones than the API asks for."""
    asked = httpx.Response(429, headers={"Retry-After": "7"})
    passing: list[httpx.Response | Exception] = [httpx.DecodingError("no gzip"), httpx.ConnectError("no"), asked]
    odd = httpx.Response(429, headers={"Retry-After": "soon"})
    for one in api(clock, answering(*passing, odd, httpx.Response(200, json={"success": True}))):
        one.send("key", [b"{}"])
    assert clock.slept == [0.5, 1.0, 7.0, 4.0]


def test_what_does_not_pass_stops_the_run(clock: Clock) -> None:
    """After so many tries and minutes, with what to do next."""
    for one in api(clock, answering(httpx.Response(500))):
        with pytest.raises(SyncError, match=r"answers 500\. Given up after 8 tries: run it again later"):
            one.send("key", [b"{}"])
    assert len(clock.slept) == TRIES - 1
    assert max(clock.slept) == LONGEST_PAUSE


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_write_key_stops_the_run_at_once(clock: Clock, status: int) -> None:
    """And says what Segment's page says about regions."""
    for one in api(clock, answering(httpx.Response(status))):
        with pytest.raises(
            SyncError, match=r"does not accept the write key\. Make sure that the Endpoint Region setting"
        ):
            one.send("key", [b"{}"])


@pytest.mark.parametrize("status", [404, 302])
def test_another_server_stops_the_run(clock: Clock, status: int) -> None:
    """It is named."""
    for one in api(clock, answering(httpx.Response(status))):
        with pytest.raises(SyncError, match=f"answers {status}: is {URL}/batch right?"):
            one.send("key", [b"{}"])


@pytest.mark.parametrize("status", [400, 413])
def test_a_refused_batch_is_another_thing(clock: Clock, status: int) -> None:
    """Its rows are looked at one by one then."""
    for one in api(clock, answering(httpx.Response(status))):
        with pytest.raises(BatchRefused):
            one.send("key", [b"{}"])


def test_a_rate_is_kept(clock: Clock) -> None:
    """After a batch of so many calls the next one waits until they are paid for."""
    for one in api(clock, answering(httpx.Response(200, json={"success": True})), rate=10):
        for _ in range(3):
            one.send("key", [b"{}"] * 5)
    assert clock.slept == [0.5, 0.5]


@pytest.mark.parametrize("answer", [{"text": "<p>Log in</p>"}, {"json": {"success": False}}, {"json": [True]}])
def test_only_the_tracking_api_says_that_a_batch_is_taken(clock: Clock, answer: dict[str, Any]) -> None:
    """A proxy's page is a 200 too: what it took nobody has."""
    for one in api(clock, answering(httpx.Response(200, **answer))):
        with pytest.raises(SyncError, match=r"answers 200: is .* right"):
            one.send("key", [b"{}"])


@pytest.mark.parametrize(
    ("asked", "slept"),
    [
        ("Fri, 02 Jan 2026 03:04:25 GMT", 20.0),
        ("Fri, 02 Jan 2026 05:00:00 GMT", 60.0),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0.5),
        ("3600", 60.0),
    ],
)
def test_a_date_to_try_again_is_kept(clock: Clock, asked: str, slept: float) -> None:
    """By the clock of whoever asks for it; a minute at most."""
    busy = httpx.Response(503, headers={"Retry-After": asked, "Date": "Fri, 02 Jan 2026 03:04:05 GMT"})
    for one in api(clock, answering(busy, httpx.Response(200, json={"success": True}))):
        one.send("key", [b"{}"])
    assert clock.slept == [slept]
