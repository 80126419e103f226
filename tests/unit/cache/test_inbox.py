"""The inbox: taken at once, worked off in order, tried again, and never more than there is room for."""

import asyncio
from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from personalize.cache.amendment import Amendment, Change, Doubt, Outcome
from personalize.cache.inbox import MAX_WAITING_BYTES, WAITS, Inbox, Kind, Notice
from personalize.model import Collection, ExternalId
from personalize.telemetry.metrics import Metrics
from tests.unit.cache.house import ADA, BOB


class Cache:
    """Records what it is told to amend, and answers as it is told; then that it was written."""

    def __init__(self, *answers: Outcome | Exception | None) -> None:
        self.answers = list(answers)
        self.amended: list[tuple[Collection, tuple[ExternalId, ...], Amendment]] = []
        self.waited: list[float] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.metrics = Metrics(CollectorRegistry())
        self.inbox = Inbox(self.amend, metrics=self.metrics, wait=self.wait)

    async def amend(self, collection: Collection, ids: Iterable[ExternalId], amendment: Amendment) -> Outcome | None:
        await self.gate.wait()
        self.amended.append((collection, tuple(ids), amendment))
        answer = self.answers.pop(0) if self.answers else "written"
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def wait(self, seconds: float) -> None:
        self.waited.append(seconds)

    def counted(self, kind: str, outcome: str) -> float | None:
        name = "personalize_webhook_messages_total"
        return self.metrics.registry.get_sample_value(name, {"kind": kind, "outcome": outcome})


CHANGE = Change("plan", "pro", 1.0)


def notice(external_id: ExternalId = ADA, kind: Kind = "trait") -> Notice:
    return Notice(kind, (external_id,), CHANGE if kind == "trait" else Doubt())


async def test_what_is_taken_is_worked_off_in_order() -> None:
    """And counted by what it is about and what became of it."""
    cache = Cache("written", "uncached")
    async with cache.inbox.opened():
        assert cache.inbox.put([notice(ADA), notice(BOB)], 10)
        assert cache.inbox.put([notice(ADA, "audience")], 10)
        await cache.inbox.settled()
    assert cache.amended == [("users", (ADA,), CHANGE), ("users", (BOB,), CHANGE), ("users", (ADA,), Doubt())]
    counted = [cache.counted(*one) for one in (("trait", "written"), ("trait", "uncached"), ("audience", "written"))]
    assert counted == [1, 1, 1]


async def test_what_was_not_taken_is_tried_again() -> None:
    """After growing waits; those behind it wait, so that they stay behind it."""
    cache = Cache(None, None, "written")
    async with cache.inbox.opened():
        cache.inbox.put([notice(ADA)], 10)
        cache.inbox.put([notice(BOB)], 10)
        await cache.inbox.settled()
    assert [ids for _, ids, _ in cache.amended] == [(ADA,), (ADA,), (ADA,), (BOB,)]
    assert cache.waited == list(WAITS[:2])


async def test_what_is_never_taken_is_given_up() -> None:
    """And told; what is behind it goes on."""
    cache = Cache(*[None] * (len(WAITS) + 1))
    with capture_logs() as logged:
        async with cache.inbox.opened():
            cache.inbox.put([notice(ADA), notice(BOB)], 10)
            await cache.inbox.settled()
    assert (cache.counted("trait", "failed"), cache.counted("trait", "written")) == (1, 1)
    assert [event["event"] for event in logged] == ["webhook_change_lost"]


async def test_a_call_without_room_is_refused_whole() -> None:
    """There is room again when the others are worked off."""
    cache = Cache()
    cache.gate.clear()
    async with cache.inbox.opened():
        assert cache.inbox.put([notice()], MAX_WAITING_BYTES - 1)
        assert not cache.inbox.put([notice(), notice()], 2)
        assert cache.inbox.put([notice()], 1)
        cache.gate.set()
        await cache.inbox.settled()
        assert cache.inbox.put([notice()], MAX_WAITING_BYTES)
    assert len(cache.amended) == 3


async def test_a_defect_costs_one_call() -> None:
    """It is told by type and place, and the next call is worked off."""
    cache = Cache(KeyError("ada@example.test"))
    with capture_logs() as logged:
        async with cache.inbox.opened():
            cache.inbox.put([notice()], MAX_WAITING_BYTES)
            await cache.inbox.settled()
            assert cache.inbox.put([notice()], MAX_WAITING_BYTES)
            await cache.inbox.settled()
    assert [event["event"] for event in logged] == ["webhook_broke"]
    assert "ada@" not in str(logged)
    assert cache.counted("trait", "written") == 1


async def test_what_waits_is_worked_off_before_the_end() -> None:
    """As far as that takes no time."""
    cache = Cache()
    async with cache.inbox.opened():
        for _ in range(100):
            cache.inbox.put([notice()], 10)
    assert len(cache.amended) == 100


async def test_an_end_does_not_wait_for_what_takes_longer() -> None:
    """And no task is left."""
    before = asyncio.all_tasks()
    cache = Cache()
    cache.gate.clear()
    async with cache.inbox.opened():
        cache.inbox.put([notice()], 10)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    assert cache.amended == []
