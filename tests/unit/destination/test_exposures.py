"""Exposures: who is told of, what is said, and that nothing waits for it."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from personalize import settings
from personalize.app.application import create_app
from personalize.destination.batches import BATCH_BYTES, CALL_BYTES
from personalize.destination.exposures import MAX_ITEMS, MAX_WAITING, Exposures
from personalize.engine import Outcome
from personalize.errors import ConfigurationError, RecipeFailed, SyncError
from personalize.model import ExternalId, Visitor
from personalize.telemetry.metrics import Metrics
from tests.doubles import environment
from tests.processes import until

ADA = Visitor(user_id="ada", anonymous_id="5e0f0c5a-8d3c-4c57-9f0e-0d2f5b6a7c11", proven=True)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Space:
    """Takes batches, or fails."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.sizes: list[int] = []
        self.fails = False

    def send(self, calls: list[bytes]) -> None:
        if self.fails:
            raise SyncError("away")
        self.calls += [json.loads(call) for call in calls]
        self.sizes.append(sum(map(len, calls)))


class Bench:
    """Exposures that are sent when a test says so."""

    def __init__(self) -> None:
        self.space = Space()
        self.metrics = Metrics(CollectorRegistry())
        self.due = asyncio.Event()
        self.closed = False
        self.exposures = Exposures(self.space.send, self.metrics, close=self._close, now=lambda: NOW, wait=self._wait)

    async def _wait(self, _: float) -> None:
        await self.due.wait()
        self.due.clear()

    def _close(self) -> None:
        self.closed = True

    def counted(self) -> dict[str, float]:
        [family] = [one for one in self.metrics.registry.collect() if one.name == "personalize_exposures"]
        return {sample.labels["outcome"]: sample.value for sample in family.samples if sample.name.endswith("_total")}


@pytest.fixture
def bench() -> Bench:
    return Bench()


@asynccontextmanager
async def opened(bench: Bench) -> AsyncIterator[Exposures]:
    async with bench.exposures.opened():
        yield bench.exposures


def given(data: object = ({"url": "https://example.com/a"},), **more: Any) -> Outcome:
    told: dict[str, Any] = {
        "external_id": ExternalId("user_id", "ada"),
        "personalized": True,
        "degraded": False,
        "provenance": "fresh",
        "fresh_for": 1.0,
        **more,
    }
    return Outcome(recipe="posts", data=msgspec.Raw(msgspec.json.encode(data)), **told)


async def test_what_somebody_was_given_is_a_track_call(bench: Bench) -> None:
    """With the recipe and what tells its items apart."""
    async with opened(bench) as exposures:
        exposures.tell(ADA, [given([{"url": "https://example.com/a", "name": "A"}, {"product_id": 7}, {}, "text"])])
    [call] = bench.space.calls
    assert call.pop("messageId").startswith("personalize-")
    assert call == {
        "type": "track",
        "userId": "ada",
        "event": "Recommendations Served",
        "timestamp": "2026-01-02T03:04:05.000Z",
        "properties": {"recipe": "posts", "items": ["https://example.com/a", "7"], "outcome": "fresh"},
        "integrations": {"All": False},
        "context": {"consent": {}},
    }
    assert bench.counted() == {"sent": 1}
    assert bench.closed


@pytest.mark.parametrize(
    ("visitor", "outcome", "counted"),
    [
        (Visitor(user_id="ada"), given(), {"untold": 1}),
        (Visitor(group_id="acme", proven=True), given(external_id=ExternalId("group_id", "acme")), {"untold": 1}),
        (ADA, given(personalized=False), {}),
        (ADA, given(error=RecipeFailed("raised")), {}),
        (ADA, given([{"url": "x" * CALL_BYTES}]), {"untold": 1}),
    ],
)
async def test_who_may_not_be_named_is_not(
    bench: Bench, visitor: Visitor, outcome: Outcome, counted: dict[str, float]
) -> None:
    """A user id that nobody proved could be anybody's; what everybody gets, and what failed, says nothing."""
    async with opened(bench) as exposures:
        exposures.tell(visitor, [outcome])
    assert bench.space.calls == []
    assert bench.counted() == counted


async def test_only_the_id_that_was_answered_is_told(bench: Bench) -> None:
    """That another id of the request is the same person's nobody has shown, and Segment would join the two."""
    anonymous = ExternalId("anonymous_id", "5e0f0c5a-8d3c-4c57-9f0e-0d2f5b6a7c11")
    async with opened(bench) as exposures:
        exposures.tell(ADA, [given(), given(external_id=anonymous)])
        exposures.tell(Visitor(user_id="ada", anonymous_id=ADA.anonymous_id), [given(), given(external_id=anonymous)])
    told = [(call.get("userId"), call.get("anonymousId")) for call in bench.space.calls]
    assert told == [("ada", None), (None, ADA.anonymous_id), (None, ADA.anonymous_id)]
    assert bench.counted() == {"sent": 3, "untold": 1}


@pytest.mark.parametrize("data", [{"traits": {"name": "Ada"}}, [], [1, {}], "text"])
async def test_only_items_are_told_of(bench: Bench, data: object) -> None:
    """A view of a customer recommends nothing."""
    async with opened(bench) as exposures:
        exposures.tell(ADA, [given(data)])
    assert (bench.space.calls, bench.counted()) == ([], {})


async def test_a_call_that_hangs_is_let_go_before_all_is_closed() -> None:
    """It tries no more, and what it holds is closed when it has ended, and not under it."""
    happened: list[str] = []
    begun, stopped = threading.Event(), threading.Event()

    def send(_: list[bytes]) -> None:
        begun.set()
        stopped.wait()
        happened.append("given up")
        raise SyncError("The service stops.")

    def close() -> None:
        happened.append("closed")

    metrics = Metrics(CollectorRegistry())
    exposures = Exposures(send, metrics, stop=stopped.set, close=close, wait=lambda _: asyncio.sleep(0))
    async with exposures.opened():
        exposures.tell(ADA, [given()])
        await asyncio.to_thread(begun.wait)
    assert happened == ["given up", "closed"]
    assert metrics.registry.get_sample_value("personalize_exposures_total", {"outcome": "failed"}) == 1


async def test_they_are_sent_while_the_service_runs(bench: Bench) -> None:
    """Again and again, many at once, each with as many items as are of use."""

    async def arrived() -> bool | None:
        return bench.counted().get("sent") == 700 or None

    async with opened(bench) as exposures:
        exposures.tell(ADA, [given([{"url": f"https://example.com/{n}"} for n in range(99)])] * 700)
        bench.due.set()
        assert await until(arrived, "exposures that are sent")
    assert len(bench.space.calls) == 700
    assert len(bench.space.sizes) > 1
    assert max(bench.space.sizes) < BATCH_BYTES
    assert len(bench.space.calls[0]["properties"]["items"]) == MAX_ITEMS


async def test_when_segment_is_away_pages_do_not_notice(bench: Bench) -> None:
    """What cannot be sent is counted, and so is what finds no room."""
    bench.space.fails = True
    for _ in range(MAX_WAITING + 1):
        bench.exposures.tell(ADA, [given()])
    assert bench.counted() == {"dropped": 1}
    await bench.exposures.flush()
    assert bench.counted() == {"dropped": 1, "failed": MAX_WAITING}


def test_they_need_a_write_key() -> None:
    """A sentence says so at the start."""
    with pytest.raises(ConfigurationError, match="PERSONALIZE_WRITE_KEY, the write key of its source"):
        create_app(settings.load(environment(EXPOSURES="true")))


def test_they_go_to_the_space_of_the_region() -> None:
    """Unless another address is told."""
    for named in ({"REGION": "eu"}, {"TRACKING_API_URL": "http://127.0.0.1:1"}):
        create_app(settings.load(environment(EXPOSURES="true", WRITE_KEY="fake", **named)))
