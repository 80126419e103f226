"""The policy: which tier answers, when the Profile API is asked, and that nobody waits for or fails with it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from personalize.cache.memory import MemoryStore
from personalize.cache.source import CachedSource
from personalize.errors import (
    AuthenticationFailed,
    ProfileApiError,
    ProfileNotFound,
    RateLimited,
    ServerFault,
    TimedOut,
    Unreachable,
    Unreadable,
)
from personalize.model import AnySection, Collection, Event, ExternalId, Section, SectionName, Snapshot
from personalize.needs import Events, EventsSpec, SectionSpec, TraitsSpec
from personalize.ports import Ask
from personalize.telemetry.metrics import Metrics
from personalize.telemetry.pseudonym import Pseudonyms

NOW = 1_000_000.0
ADA = ExternalId("user_id", "ada@example.test")
BOB = ExternalId("user_id", "bob@example.test")
PLAN = TraitsSpec(("plan",), ttl=300)
VIEWED = EventsSpec((Events("Viewed"),), ttl=60)
TRAITS: dict[SectionName, SectionSpec] = {"traits": PLAN}
BOTH: dict[SectionName, SectionSpec] = {"traits": PLAN, "events": VIEWED}

Content = dict[str, Any] | tuple[Event, ...]


class Clock:
    """The time, which a test steps."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Reader:
    """A Profile API that tells each visitor's id as the trait, once its gate is open; it records what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failures: dict[str, Exception] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.reached = asyncio.Event()
        self.cancelled = 0
        self.during: Callable[[], None] = lambda: None

    async def read(self, collection: Collection, external_id: ExternalId, spec: SectionSpec) -> Content:
        self.asked.append(f"{collection} {external_id.value} {','.join(spec.names)}")
        self.reached.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.during()
        for name in spec.names:
            if name in self.failures:
                raise self.failures[name]
        return dict.fromkeys(spec.names, external_id.value) if isinstance(spec, TraitsSpec) else ()


class Tier(MemoryStore):
    """A tier that records its calls and may hold up its writes."""

    def __init__(self, tier: str) -> None:
        super().__init__()
        self.tier = tier
        self.reads: list[str] = []
        self.writes: list[str] = []
        self.keys: set[str] = set()
        self.delay = 0.0
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, key: str, names: list[SectionName]) -> dict[SectionName, AnySection]:
        self.keys.add(key)
        self.reads.append(",".join(names))
        if self.delay:
            await asyncio.sleep(self.delay)
        return await super().read(key, names)

    async def write(self, key: str, name: SectionName, section: AnySection) -> None:
        self.keys.add(key)
        await self.gate.wait()
        self.writes.append(name)
        await super().write(key, name, section)


class House:
    """A source with its parts at hand."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.reader = Reader()
        self.near, self.far = Tier("memory"), Tier("redis")
        self.metrics = Metrics(CollectorRegistry())
        self.source = CachedSource(
            self.reader,
            [self.near, self.far],
            pseudonyms=Pseudonyms(b"key"),
            negative_ttl=30,
            metrics=self.metrics,
            clock=self.clock,
        )

    async def fetch(
        self,
        external_id: ExternalId = ADA,
        sections: Mapping[SectionName, SectionSpec] = TRAITS,
        *,
        within: float = 5.0,
        collection: Collection = "users",
    ) -> Snapshot:
        """Fetch, and let the writes that it leaves behind be done."""
        deadline = asyncio.get_running_loop().time() + within
        snapshot = await self.source.fetch(Ask(collection, external_id, sections, deadline))
        for _ in range(3):
            await asyncio.sleep(0)
        return snapshot

    def counted(self, section: str, tier: str) -> float | None:
        labels = {"section": section, "tier": tier}
        return self.metrics.registry.get_sample_value("personalize_cache_reads_total", labels)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.source.aclose()


def content(snapshot: Snapshot, section: SectionName = "traits") -> object:
    return snapshot.sections[section].content


async def test_what_no_tier_knows_is_read_and_kept_in_all(house: House) -> None:
    """The next page needs no call."""
    first = await house.fetch()
    again = await house.fetch()
    assert first == again == Snapshot({"traits": Section({"plan": ADA.value}, ("plan",), NOW)}, fresh_for=300)
    assert house.reader.asked == [f"users {ADA.value} plan"]
    assert (house.near.writes, house.far.writes) == (["traits"], ["traits"])


async def test_the_nearest_tier_is_asked_first(house: House) -> None:
    """Where memory knows, the shared tier is left alone."""
    await house.fetch()
    house.far.reads.clear()
    await house.fetch()
    assert house.far.reads == []
    assert (house.counted("traits", "memory"), house.counted("traits", "none")) == (1, 1)


async def test_a_far_tiers_section_is_copied_into_the_nearer(house: House) -> None:
    """Another replica read it; here it is known from then on, with the age that it has."""
    await house.fetch()
    await house.near.drop(*house.near.keys)
    house.clock.now += 100
    assert (await house.fetch()).fresh_for == 200
    assert (await house.fetch()).fresh_for == 200
    assert len(house.reader.asked) == 1
    assert (house.counted("traits", "redis"), house.counted("traits", "memory")) == (1, 1)
    assert house.far.writes == ["traits"]


async def test_only_what_the_nearer_lack_is_asked_of_a_far_tier(house: House) -> None:
    """And only what all lack is read."""
    await house.fetch()
    house.near.reads.clear()
    house.far.reads.clear()
    await house.fetch(sections=BOTH)
    assert (house.near.reads, house.far.reads) == (["traits,events", "events"], ["events"])
    assert house.reader.asked == [f"users {ADA.value} plan", f"users {ADA.value} Viewed"]


@pytest.mark.parametrize(("age", "reads"), [(299.0, 1), (300.0, 2), (100_000.0, 2)])
async def test_a_section_is_read_again_when_its_ttl_is_over(house: House, age: float, reads: int) -> None:
    """In every tier, for its age travels with it."""
    await house.fetch()
    house.clock.now += age
    await house.fetch()
    assert len(house.reader.asked) == reads


async def test_age_counts_from_before_the_read(house: House) -> None:
    """What changes while a slow read is under way is not older than it looks."""
    house.reader.during = lambda: setattr(house.clock, "now", NOW + 2)
    snapshot = await house.fetch()
    assert snapshot.sections["traits"].fetched_at == NOW
    assert snapshot.fresh_for == 298


async def test_freshness_is_that_of_the_section_that_ends_first(house: House) -> None:
    """An answer made of several is as fresh as its oldest part."""
    assert (await house.fetch(sections=BOTH)).fresh_for == 60
    house.clock.now += 59
    assert (await house.fetch(sections=BOTH)).fresh_for == 1
    assert (await house.fetch(sections=TRAITS)).fresh_for == 241


async def test_nothing_asked_is_nothing_known(house: House) -> None:
    """No tier is bothered."""
    assert await house.fetch(sections={}) == Snapshot()
    assert house.near.reads == []


async def test_a_profile_that_does_not_exist_is_believed_for_a_while(house: House) -> None:
    """Unknown visitors are the usual ones: not a failure, and asked for again after 30 s."""
    house.reader.failures["plan"] = ProfileNotFound("none")
    first = await house.fetch()
    assert (first.found, first.failed, first.fresh_for) == (False, frozenset(), 30)
    house.clock.now += 29.5
    assert (await house.fetch()).fresh_for == 0.5
    assert len(house.reader.asked) == 1
    house.clock.now += 0.5
    house.reader.failures.clear()
    assert content(await house.fetch()) == {"plan": ADA.value}


async def test_a_newly_needed_name_is_read(house: House) -> None:
    """What was cached before the need existed does not answer for it, but the wider section answers both."""
    await house.fetch()
    wider: dict[SectionName, SectionSpec] = {"traits": TraitsSpec(("age", "plan"), ttl=300)}
    assert content(await house.fetch(sections=wider)) == {"age": ADA.value, "plan": ADA.value}
    assert content(await house.fetch()) == {"age": ADA.value, "plan": ADA.value}
    assert len(house.reader.asked) == 2


@pytest.mark.parametrize(
    "error", [AuthenticationFailed, RateLimited, ServerFault, TimedOut, Unreachable, Unreadable], ids=lambda e: e.label
)
async def test_a_failure_is_told_and_not_kept(house: House, error: type[ProfileApiError]) -> None:
    """The section is named as failed, nothing is cached, and the next page asks anew."""
    house.reader.failures["plan"] = error("no luck", "1111")
    with capture_logs() as logged:
        snapshot = await house.fetch()
    assert snapshot == Snapshot({}, frozenset({"traits"}))
    assert (house.near.writes, house.far.writes) == ([], [])
    assert logged == [
        {
            "event": "profile_read_failed",
            "log_level": "warning",
            "section": "traits",
            "reason": "no luck (Request-Id 1111)",
        }
    ]
    house.reader.failures.clear()
    assert (await house.fetch()).failed == frozenset()


async def test_a_failed_section_costs_no_other(house: House) -> None:
    """The events are there although the traits are not; such an answer is not fresh for any time."""
    house.reader.failures["plan"] = ServerFault("no luck")
    snapshot = await house.fetch(sections=BOTH)
    assert list(snapshot.sections) == ["events"]
    assert (snapshot.failed, snapshot.fresh_for) == (frozenset({"traits"}), 0)
    assert house.near.writes == ["events"]


async def test_sections_are_read_side_by_side(house: House) -> None:
    """Two slow routes take the time of one."""
    house.reader.gate.clear()
    fetch = asyncio.create_task(house.fetch(sections=BOTH))
    await house.reader.reached.wait()
    await asyncio.sleep(0)
    assert len(house.reader.asked) == 2
    house.reader.gate.set()
    assert (await fetch).failed == frozenset()


async def test_a_late_answer_fills_the_tiers(house: House) -> None:
    """The page does not wait beyond its deadline, and the next one finds what came too late."""
    house.reader.gate.clear()
    assert await house.fetch(within=0.01) == Snapshot({}, frozenset({"traits"}))
    late = asyncio.create_task(house.fetch())
    await asyncio.sleep(0)
    house.reader.gate.set()
    assert content(await late) == {"plan": ADA.value}
    assert content(await house.fetch(within=0)) == {"plan": ADA.value}
    assert len(house.reader.asked) == 1


async def test_an_answer_that_nobody_waits_for_any_more_is_kept(house: House) -> None:
    """No second page had to ask for it."""
    house.reader.gate.clear()
    await house.fetch(within=0.01)
    house.reader.gate.set()
    for _ in range(10):
        await asyncio.sleep(0)
    assert (house.near.writes, house.far.writes) == (["traits"], ["traits"])


async def test_a_failure_that_nobody_waits_for_any_more_is_quiet(house: House) -> None:
    """It is logged as any other and raises nowhere."""
    house.reader.failures["plan"] = ServerFault("late")
    house.reader.gate.clear()
    await house.fetch(within=0.01)
    with capture_logs() as logged:
        house.reader.gate.set()
        for _ in range(10):
            await asyncio.sleep(0)
    assert [event["event"] for event in logged] == ["profile_read_failed"]


async def test_a_deadline_that_has_passed_still_starts_the_read(house: House) -> None:
    """The page gets its default at once, and the next one is served."""
    house.reader.gate.clear()
    assert (await house.fetch(within=-1)).failed == {"traits"}
    await house.reader.reached.wait()
    assert len(house.reader.asked) == 1


async def test_a_deadline_that_has_passed_still_serves_what_is_known(house: House) -> None:
    """Memory takes no time."""
    await house.fetch()
    assert content(await house.fetch(within=-1)) == {"plan": ADA.value}


async def test_all_who_ask_at_once_share_one_read(house: House) -> None:
    """A hundred pages of one visitor are one call."""
    house.reader.gate.clear()
    fetches = [asyncio.create_task(house.fetch()) for _ in range(100)]
    await house.reader.reached.wait()
    house.reader.gate.set()
    snapshots = await asyncio.gather(*fetches)
    assert {str(content(snapshot)) for snapshot in snapshots} == {str({"plan": ADA.value})}
    assert len(house.reader.asked) == 1


async def test_all_who_share_a_failed_read_are_told(house: House) -> None:
    """Once, and the next one starts anew."""
    house.reader.failures["plan"] = ServerFault("no luck")
    house.reader.gate.clear()
    fetches = [asyncio.create_task(house.fetch()) for _ in range(10)]
    await house.reader.reached.wait()
    house.reader.gate.set()
    assert [snapshot.failed for snapshot in await asyncio.gather(*fetches)] == [{"traits"}] * 10
    assert len(house.reader.asked) == 1
    await house.fetch()
    assert len(house.reader.asked) == 2


async def test_a_cancelled_page_does_not_cancel_the_others_read(house: House) -> None:
    """Not even the one that started it."""
    house.reader.gate.clear()
    first = asyncio.create_task(house.fetch())
    await house.reader.reached.wait()
    second = asyncio.create_task(house.fetch())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    house.reader.gate.set()
    assert first.cancelled()
    assert content(await second) == {"plan": ADA.value}
    assert (len(house.reader.asked), house.reader.cancelled) == (1, 0)


async def test_visitors_never_share(house: House) -> None:
    """At once or in turn, each gets its own."""
    house.reader.gate.clear()
    fetches = [asyncio.create_task(house.fetch(ExternalId("user_id", f"u{n}"))) for n in range(50)]
    await house.reader.reached.wait()
    house.reader.gate.set()
    snapshots = await asyncio.gather(*fetches)
    assert [content(snapshot) for snapshot in snapshots] == [{"plan": f"u{n}"} for n in range(50)]
    again = [await house.fetch(ExternalId("user_id", f"u{n}")) for n in range(50)]
    assert [content(snapshot) for snapshot in again] == [{"plan": f"u{n}"} for n in range(50)]
    assert len(house.reader.asked) == 50


@pytest.mark.parametrize(
    ("external_id", "collection"),
    [
        (BOB, "users"),
        (ExternalId("anonymous_id", ADA.value), "users"),
        (ExternalId("user_id", ADA.value.upper()), "users"),
        (ExternalId("user_id", ADA.value + " "), "users"),
        (ADA, "accounts"),
    ],
)
async def test_another_id_is_another_visitor(house: House, external_id: ExternalId, collection: Collection) -> None:
    """Another value, another type of the same value, or the same id in the other collection."""
    await house.fetch(ADA)
    await house.fetch(external_id, collection=collection)
    assert len(house.reader.asked) == 2
    assert len(house.near.keys) == 2


async def test_tiers_see_no_ids(house: House) -> None:
    """Their keys are keyed hashes, the same in each."""
    await house.fetch(sections=BOTH)
    assert house.near.keys == house.far.keys == {Pseudonyms(b"key")("users", str(ADA))}
    assert not any(part in key for key in house.near.keys for part in ("ada", "user_id", "example"))


async def test_nobody_waits_for_a_tier_to_take_a_section(house: House) -> None:
    """A slow shared tier costs writes, not pages."""
    house.far.gate.clear()
    assert content(await house.fetch(within=1)) == {"plan": ADA.value}
    assert (house.near.writes, house.far.writes) == (["traits"], [])
    house.far.gate.set()


async def test_closing_ends_reads_and_writes_that_are_under_way(house: House) -> None:
    """Nothing is left running, and nothing is left unawaited."""
    before = asyncio.all_tasks()
    house.far.gate.clear()
    await house.fetch(ADA)
    house.reader.gate.clear()
    await house.fetch(BOB, BOTH, within=0.01)
    assert len(asyncio.all_tasks() - before) == 3
    await house.source.aclose()
    assert asyncio.all_tasks() == before
    assert house.reader.cancelled == 2
    assert house.far.writes == []


async def test_closing_twice_or_unused_is_nothing(house: House) -> None:
    """There is nothing to end."""
    await house.source.aclose()
    await house.source.aclose()


async def test_without_tiers_every_page_reads(house: House) -> None:
    """No tier is required."""
    source = CachedSource(
        house.reader, [], pseudonyms=Pseudonyms(b"key"), negative_ttl=30, metrics=house.metrics, clock=house.clock
    )
    deadline = asyncio.get_running_loop().time() + 5
    for _ in range(2):
        assert content(await source.fetch(Ask("users", ADA, TRAITS, deadline))) == {"plan": ADA.value}
    assert len(house.reader.asked) == 2
    await source.aclose()


async def test_a_defect_in_the_read_fails_the_section_and_is_logged(house: House) -> None:
    """A page gets its defaults even from an exception that is none of ours, and no value of it is told."""
    house.reader.failures["plan"] = KeyError("ada@example.test")
    with capture_logs() as logged:
        assert await house.fetch() == Snapshot({}, frozenset({"traits"}))
    assert [event["event"] for event in logged] == ["profile_read_broke"]
    assert "ada@" not in str(logged)


async def test_who_waits_while_the_service_closes_gets_defaults(house: House) -> None:
    """A read that is cancelled for the end of the service is a failed one for those who wait."""
    house.reader.gate.clear()
    waiting = asyncio.create_task(house.fetch())
    await house.reader.reached.wait()
    await house.source.aclose()
    assert await waiting == Snapshot({}, frozenset({"traits"}))


async def test_a_wider_ask_does_not_join_a_narrower_read(house: House) -> None:
    """It would get a section without one of its names."""
    house.reader.gate.clear()
    narrow = asyncio.create_task(house.fetch())
    await house.reader.reached.wait()
    wide = asyncio.create_task(house.fetch(sections={"traits": TraitsSpec(("city", "plan"), ttl=300)}))
    await asyncio.sleep(0)
    house.reader.gate.set()
    await narrow
    assert content(await wide) == {"city": ADA.value, "plan": ADA.value}


async def test_a_read_that_lands_while_a_far_tier_is_asked_is_not_made_again(house: House) -> None:
    """Who missed the nearest tier, and then waited for the far one, looks again before reading."""
    house.far.delay = 0.01
    first = asyncio.create_task(house.fetch())
    others = []
    while not first.done():
        others.append(asyncio.create_task(house.fetch()))
        await asyncio.sleep(0.001)
    await asyncio.gather(first, *others)
    assert len(house.reader.asked) == 1
