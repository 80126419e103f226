"""The policy: what is served, when the Profile API is asked, and that nobody waits for or fails with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from personalize.cache.amendment import Change, Doubt
from personalize.cache.memory import MemoryStore
from personalize.cache.source import CachedSource
from personalize.errors import (
    AuthenticationFailed,
    ProfileApiError,
    ProfileNotFound,
    RateLimited,
    ServerFault,
    Shed,
    TimedOut,
    Unreachable,
    Unreadable,
)
from personalize.model import Collection, ExternalId, Reading, Section, SectionName, Snapshot
from personalize.needs import SectionSpec, TraitsSpec
from personalize.ports import Ask
from tests.unit.cache.house import (
    ADA,
    AGES,
    BOB,
    BOTH,
    NOW,
    PSEUDONYMS,
    TRAITS,
    House,
    Purse,
    content,
    key_of,
    settled,
)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.source.aclose()


async def test_what_no_tier_knows_is_read_and_kept_in_all(house: House) -> None:
    """The next page needs no call."""
    first = await house.fetch()
    again = await house.fetch()
    assert first.sections == again.sections == {"traits": Section({"plan": ADA.value}, ("plan",), NOW)}
    assert (first.fresh_for, again.fresh_for) == (300, 300)
    assert house.reader.asked == [f"users {ADA.value} plan"]
    assert house.shared.writes == ["traits"]
    assert (house.counted("fresh"), house.served("none"), house.served("memory")) == (2, 1, 1)


async def test_where_memory_knows_nobody_is_asked(house: House) -> None:
    """Not even the shared tier."""
    await house.fetch()
    house.shared.reads.clear()
    await house.fetch()
    assert house.shared.reads == []


async def test_what_another_replica_read_is_copied_into_memory(house: House) -> None:
    """Here it is known from then on, with the age that it has."""
    await house.fetch()
    house.forget_here()
    house.clock.now += 100
    assert (await house.fetch()).fresh_for == 200
    assert (await house.fetch()).fresh_for == 200
    assert len(house.reader.asked) == 1
    assert (house.served("redis"), house.served("memory")) == (1, 1)
    assert house.shared.writes == ["traits"]


async def test_only_what_memory_lacks_is_asked_of_the_shared_tier(house: House) -> None:
    """And only what both lack is read."""
    await house.fetch()
    house.shared.reads.clear()
    await house.fetch(sections=BOTH)
    assert set(house.shared.reads) == {"events"}
    assert house.reader.asked == [f"users {ADA.value} plan", f"users {ADA.value} Viewed"]


@pytest.mark.parametrize(("age", "served"), [(299.0, "fresh"), (300.0, "stale"), (599.0, "stale")])
async def test_a_section_is_served_at_once_until_it_is_expired(house: House, age: float, served: str) -> None:
    """Fresh as it is; stale while it is read again behind the visitor's back, once."""
    await house.fetch()
    house.clock.now += age
    house.reader.gate.clear()
    for _ in range(3):
        assert content(await house.fetch(within=0)) == {"plan": ADA.value}
    assert len(house.reader.asked) == (1 if served == "fresh" else 2)
    assert house.counted(served) == (4 if served == "fresh" else 3)


async def test_what_was_read_behind_the_visitors_back_is_what_the_next_page_gets(house: House) -> None:
    """Stale once, then fresh again; a refresh is the least urgent of reads, and neither page was degraded."""
    await house.fetch()
    house.clock.now += 400
    house.reader.tells = lambda _: "new"
    stale, fresh = await house.fetch(), await house.fetch()
    assert (content(stale), content(fresh)) == ({"plan": ADA.value}, {"plan": "new"})
    assert (stale.stale, fresh.stale, stale.failed, stale.fresh_for) == (True, False, frozenset(), 0)
    assert [errand.priority for errand in house.reader.errands] == ["page", "refresh"]
    assert house.counted("refreshed") == 1


async def test_an_expired_section_is_read_before_it_is_served(house: House) -> None:
    """Whoever comes back after ten minutes sees what is so now."""
    await house.fetch()
    house.clock.now += 600
    house.reader.tells = lambda _: "new"
    assert content(await house.fetch()) == {"plan": "new"}


@pytest.mark.parametrize("age", [400.0, 600.0, 86_399.0])
async def test_what_was_last_known_is_served_while_the_profile_api_fails(house: House, age: float) -> None:
    """Up to a day, and the answer says that it is not what it should be."""
    await house.fetch()
    house.clock.now += age
    house.reader.failures["plan"] = ServerFault("no luck")
    await house.fetch()
    snapshot = await house.fetch()
    assert content(snapshot) == {"plan": ADA.value}
    assert (snapshot.failed, snapshot.missing) == (frozenset({"traits"}), frozenset())
    assert (snapshot.stale, snapshot.fresh_for) == (True, 0)
    assert house.counted("stale") == 2


async def test_nothing_older_than_a_day_is_ever_served(house: House) -> None:
    """Then it is the defaults."""
    await house.fetch()
    house.clock.now += 86_400
    house.reader.failures["plan"] = ServerFault("no luck")
    snapshot = await house.fetch()
    assert (len(snapshot.sections), snapshot.missing, house.counted("default")) == (0, frozenset({"traits"}), 1)


async def test_a_failed_refresh_is_not_repeated_at_once(house: House) -> None:
    """Pages of one visitor do not become calls, one each."""
    await house.fetch()
    house.clock.now += 400
    house.reader.failures["plan"] = ServerFault("no luck")
    for _ in range(20):
        await house.fetch()
    assert len(house.reader.asked) == 2


async def test_success_ends_being_degraded(house: House) -> None:
    """The next page after the first answer is as it should be."""
    await house.fetch()
    house.clock.now += 600
    house.reader.failures["plan"] = ServerFault("no luck")
    assert (await house.fetch()).failed == {"traits"}
    house.reader.failures.clear()
    assert (await house.fetch()).failed == set()


async def test_a_clock_that_was_set_back_makes_what_is_known_stale(house: House) -> None:
    """Nobody knows how old it is: it is served, and read again."""
    await house.fetch()
    house.clock.now -= 3600
    snapshot = await house.fetch()
    assert (content(snapshot), snapshot.fresh_for) == ({"plan": ADA.value}, 0)
    assert len(house.reader.asked) == 2
    assert (await house.fetch()).fresh_for == 300


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
    """Nobody is bothered."""
    assert await house.fetch(sections={}) == Snapshot()
    assert house.shared.reads == []


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


async def test_a_newly_needed_name_makes_what_is_known_stale(house: House) -> None:
    """A deploy with one more trait does not make everybody unknown; the wider section then answers both."""
    await house.fetch()
    wider: dict[SectionName, SectionSpec] = {"traits": TraitsSpec(("age", "plan"), ttl=300)}
    first = await house.fetch(sections=wider)
    assert (content(first), first.stale) == ({"plan": ADA.value}, True)
    assert content(await house.fetch(sections=wider)) == {"age": ADA.value, "plan": ADA.value}
    assert content(await house.fetch()) == {"age": ADA.value, "plan": ADA.value}
    assert len(house.reader.asked) == 2


async def test_that_a_profile_does_not_exist_answers_for_every_name(house: House) -> None:
    """Whatever is asked of nobody."""
    house.reader.failures["plan"] = ProfileNotFound("none")
    await house.fetch()
    wider: dict[SectionName, SectionSpec] = {"traits": TraitsSpec(("age", "plan"), ttl=300)}
    assert (await house.fetch(sections=wider)).fresh_for == 30
    assert len(house.reader.asked) == 1


@pytest.mark.parametrize(
    "error", [AuthenticationFailed, RateLimited, ServerFault, TimedOut, Unreachable, Unreadable], ids=lambda e: e.label
)
async def test_a_failure_is_told_and_not_kept(house: House, error: type[ProfileApiError]) -> None:
    """The section is named as failed, nothing is cached, and the next page asks anew."""
    house.reader.failures["plan"] = error("no luck", "1111")
    with capture_logs() as logged:
        snapshot = await house.fetch()
    assert (len(snapshot.sections), snapshot.failed) == (0, frozenset({"traits"}))
    assert (house.shared.writes, house.memory.read(key_of(ADA), "traits")) == ([], None)
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


@pytest.mark.parametrize("error", [ServerFault("no luck"), ProfileNotFound("none"), Shed("breaker")], ids=repr)
async def test_nothing_stays_of_a_read_that_failed(house: House, error: ProfileApiError) -> None:
    """Its error is a value, and does not hold what was under way."""
    with suppress(ProfileApiError):
        raise error
    house.reader.failures["plan"] = error
    house.reader.refusal = error if isinstance(error, Shed) else None
    await house.fetch()
    assert error.__traceback__ is None


async def test_a_failed_section_costs_no_other(house: House) -> None:
    """The events are there although the traits are not; such an answer is not fresh for any time."""
    house.reader.failures["plan"] = ServerFault("no luck")
    snapshot = await house.fetch(sections=BOTH)
    assert list(snapshot.sections) == ["events"]
    assert (snapshot.failed, snapshot.fresh_for) == (frozenset({"traits"}), 0)
    assert house.shared.writes == ["events"]


async def test_sections_are_read_side_by_side(house: House) -> None:
    """Two slow routes take the time of one."""
    house.reader.gate.clear()
    fetch = asyncio.create_task(house.fetch(sections=BOTH))
    await house.reader.reached.wait()
    await settled()
    assert len(house.reader.asked) == 2
    house.reader.gate.set()
    assert (await fetch).failed == frozenset()


async def test_a_late_answer_fills_the_tiers(house: House) -> None:
    """The page does not wait beyond its deadline, and the next one finds what came too late."""
    house.reader.gate.clear()
    assert (await house.fetch(within=0.01)).missing == {"traits"}
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
    await settled()
    assert house.shared.writes == ["traits"]
    assert house.memory.read(key_of(ADA), "traits") is not None


async def test_a_failure_that_nobody_waits_for_any_more_is_quiet(house: House) -> None:
    """It is logged as any other and raises nowhere."""
    house.reader.failures["plan"] = ServerFault("late")
    house.reader.gate.clear()
    await house.fetch(within=0.01)
    with capture_logs() as logged:
        house.reader.gate.set()
        await settled()
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
    assert (len(house.reader.asked), house.counted("coalesced")) == (1, 99)


async def test_the_failure_of_a_read_is_not_that_of_those_who_joined_it(house: House) -> None:
    """They try once more, all together; when that fails too, all are told, and the next one starts anew."""
    house.reader.failures["plan"] = ServerFault("no luck")
    house.reader.gate.clear()
    fetches = [asyncio.create_task(house.fetch()) for _ in range(10)]
    await house.reader.reached.wait()
    house.reader.gate.set()
    assert [snapshot.failed for snapshot in await asyncio.gather(*fetches)] == [{"traits"}] * 10
    assert len(house.reader.asked) == 2
    await house.fetch()
    assert len(house.reader.asked) == 3


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
    assert len(house.shared.keys) == 2


async def test_tiers_see_no_ids(house: House) -> None:
    """Their keys are keyed hashes."""
    await house.fetch(sections=BOTH)
    assert house.shared.keys == {PSEUDONYMS("users", str(ADA))}
    assert not any(part in key for key in house.shared.keys for part in ("ada", "user_id", "example"))


async def test_nobody_waits_for_a_tier_to_take_a_section(house: House) -> None:
    """A slow shared tier costs writes, not pages."""
    house.shared.gate.clear()
    assert content(await house.fetch(within=1)) == {"plan": ADA.value}
    assert (house.shared.writes, content(await house.fetch(within=0))) == ([], {"plan": ADA.value})
    house.shared.gate.set()


async def test_closing_ends_reads_and_writes_that_are_under_way(house: House) -> None:
    """Nothing is left running, and nothing is left unawaited."""
    before = asyncio.all_tasks()
    house.shared.gate.clear()
    await house.fetch(ADA)
    house.reader.gate.clear()
    await house.fetch(BOB, BOTH, within=0.01)
    assert len(asyncio.all_tasks() - before) == 3
    await house.source.aclose()
    assert asyncio.all_tasks() == before
    assert house.reader.cancelled == 2
    assert house.shared.writes == []


async def test_closing_twice_or_unused_is_nothing(house: House) -> None:
    """There is nothing to end."""
    await house.source.aclose()
    await house.source.aclose()


async def test_a_process_alone_shares_with_nobody(house: House) -> None:
    """Memory is all that it has, and enough."""
    memory = MemoryStore(keep=60, metrics=house.metrics)
    source = CachedSource(
        house.reader, memory, pseudonyms=PSEUDONYMS, ages=AGES, metrics=house.metrics, clock=house.clock
    )
    listening = asyncio.create_task(source.listen())
    deadline = asyncio.get_running_loop().time() + 5
    ask = Ask("users", ADA, TRAITS, deadline, aliases=(BOB,))
    for _ in range(2):
        assert content(await source.fetch(ask)) == {"plan": ADA.value}
    assert len(house.reader.asked) == 1
    assert await source.forget("users", [ADA])
    await source.fetch(ask)
    assert len(house.reader.asked) == 2
    await listening
    await source.aclose()


async def test_a_process_alone_amends_what_it_remembers(house: House) -> None:
    """As the shared tier would: values that are newer, once, and no read from before."""
    memory = MemoryStore(keep=600, metrics=house.metrics)
    source = CachedSource(
        house.reader, memory, pseudonyms=PSEUDONYMS, ages=AGES, metrics=house.metrics, clock=house.clock
    )
    ask = Ask("users", ADA, BOTH, asyncio.get_running_loop().time() + 5)
    await source.fetch(ask)
    house.clock.now += 50
    pushed = [("pro", NOW + 2), ("old", NOW + 1), ("pro", NOW + 2)]
    outcomes = [await source.amend("users", [ADA], Change("plan", value, at)) for value, at in pushed]
    assert outcomes == ["written", "repeated", "repeated"]
    snapshot = await source.fetch(ask)
    assert (content(snapshot), snapshot.readings["traits"].ttl) == ({"plan": "pro"}, 250)
    assert len(house.reader.asked) == 2
    assert await source.amend("users", [ADA], Doubt()) == "invalidated"
    house.reader.gate.clear()
    reading = asyncio.create_task(source.fetch(ask))
    house.reader.reached.clear()
    await house.reader.reached.wait()
    assert await source.amend("users", [ADA], Change("plan", "team", NOW + 40)) == "written"
    house.reader.gate.set()
    await reading
    kept = memory.read(key_of(ADA), "traits")
    assert kept is not None
    assert kept.section.content == {"plan": "team"}
    await source.aclose()


async def test_a_defect_in_the_read_fails_the_section_and_is_logged(house: House) -> None:
    """A page gets its defaults even from an exception that is none of ours, and no value of it is told."""
    house.reader.failures["plan"] = KeyError("ada@example.test")
    with capture_logs() as logged:
        assert (await house.fetch()).missing == {"traits"}
    assert [event["event"] for event in logged] == ["profile_read_broke"]
    assert "ada@" not in str(logged)


async def test_who_waits_while_the_service_closes_gets_defaults(house: House) -> None:
    """A read that is cancelled for the end of the service is a failed one for those who wait."""
    house.reader.gate.clear()
    waiting = asyncio.create_task(house.fetch())
    await house.reader.reached.wait()
    await house.source.aclose()
    assert (await waiting).missing == {"traits"}


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


async def test_a_read_that_lands_while_the_shared_tier_is_asked_is_not_made_again(house: House) -> None:
    """Who missed memory, and then waited for the shared tier, looks again before reading."""
    house.shared.delay = 0.01
    first = asyncio.create_task(house.fetch())
    others = []
    while not first.done():
        others.append(asyncio.create_task(house.fetch()))
        await asyncio.sleep(0.001)
    await asyncio.gather(first, *others)
    assert len(house.reader.asked) == 1


async def test_a_read_that_is_refused_is_told_as_shed(house: House) -> None:
    """Counted, and not logged: under a flood that would be a flood of lines."""
    house.reader.failures["plan"] = Shed("budget")
    with capture_logs() as logged:
        assert (await house.fetch()).missing == {"traits"}
    assert (house.counted("shed"), house.counted("default"), logged) == (1, 1, [])


async def test_a_page_does_not_share_the_refusal_of_a_less_urgent_read(house: House) -> None:
    """The budget may have room for a page though it has none for what only a later page will want."""
    await house.fetch()
    house.clock.now += 599
    house.reader.gate.clear()
    house.reader.failures["plan"] = Shed("budget")
    await house.fetch()
    house.clock.now += 1
    page = asyncio.create_task(house.fetch())
    await settled()
    house.reader.gate.set()
    await page
    assert [errand.priority for errand in house.reader.errands] == ["page", "refresh", "page"]


async def test_the_urgency_of_a_read_is_the_askers(house: House) -> None:
    """Our own servers come before pages."""
    await house.fetch(priority="server")
    assert house.reader.errands[0].priority == "server"


async def test_readings_tell_how_each_section_came_to_be_known(house: House) -> None:
    """For the headers that our own servers get."""
    first = (await house.fetch()).readings["traits"]
    again = (await house.fetch()).readings["traits"]
    assert first == Reading("profile_api", "gone", 300, seconds=first.seconds)
    assert again == Reading("memory", "fresh", 300, seconds=again.seconds)
    house.forget_here()
    third = (await house.fetch()).readings["traits"]
    assert third == Reading("redis", "fresh", 300, seconds=third.seconds)
    assert 0 < again.seconds < 5


async def test_a_read_that_would_be_refused_asks_nobody(house: House) -> None:
    """Neither for the right to read nor the shared tier a second time: a flood must cost little."""
    house.reader.refusal = Shed("breaker")
    assert (await house.fetch()).missing == {"traits"}
    assert (house.reader.asked, house.shared.reads, house.shared.claims) == ([], ["traits"], set())
    assert house.counted("shed") == 1


async def test_while_reads_are_refused_nobody_claims_one(house: House) -> None:
    """It would have to be given back, each time."""
    house.reader.refusal = Shed("breaker")
    await house.fetch()
    assert house.shared.claiming
    await house.fetch(BOB)
    assert not house.shared.claiming
    house.reader.refusal = None
    assert content(await house.fetch(BOB)) == {"plan": BOB.value}
    await house.fetch(ADA)
    assert house.shared.claiming


async def test_who_may_let_nothing_be_read_claims_nothing(house: House) -> None:
    """Nor is that asked about what is known in memory."""
    assert (await house.fetch(allowance=Purse())).missing == {"traits"}
    assert (house.shared.reads, house.shared.claiming) == (["traits"], False)


async def test_what_nobody_knows_is_read_after_one_look(house: House) -> None:
    """The right to read it comes with the look-up, and is given back when the others can know it."""
    house.reader.gate.clear()
    fetch = asyncio.create_task(house.fetch())
    await house.reader.reached.wait()
    assert (house.shared.reads, house.shared.claims) == (["traits"], {(key_of(ADA), "traits")})
    house.reader.gate.set()
    assert content(await fetch) == {"plan": ADA.value}
    assert (house.shared.writes, house.shared.claims) == (["traits"], set())


async def test_a_right_that_is_not_used_is_given_back(house: House) -> None:
    """The client may let no more be read, or what is stale in memory has just been read in vain."""
    purse, house.shared.delay = Purse(1), 0.001  # both are looked up before either is read
    await asyncio.gather(*(house.fetch(one, allowance=purse) for one in (ADA, BOB)))
    assert house.shared.claiming
    house.shared.delay = 0.0
    await settled()
    assert house.shared.claims == set()
    await house.fetch()
    house.clock.now += 400
    house.reader.failures["plan"] = ServerFault("no luck")
    for _ in range(2):
        house.shared.evict(key_of(ADA))
        house.shared.live_since = None
        await house.fetch()
        assert house.shared.claims == set()
    assert len(house.reader.asked) == 2


async def test_a_right_is_not_given_back_before_the_others_can_know(house: House) -> None:
    """Who looked while a read ended needs it no more; whoever had it then would read again."""
    house.shared.gate.clear()
    await house.fetch()
    house.shared.claims.clear()  # it is the process' own, who may claim it again
    house.shared.live_since = None
    house.clock.now += 2  # long enough to look again
    assert content(await house.fetch()) == {"plan": ADA.value}
    await settled()
    assert (house.shared.claiming, house.shared.claims) == (True, {(key_of(ADA), "traits")})
    house.shared.gate.set()
    await settled()
    assert (house.shared.writes, house.shared.claims) == (["traits"], set())
    assert len(house.reader.asked) == 1


async def test_what_the_look_up_told_is_good_to_keep_by(house: House) -> None:
    """Where the shared tier is too slow for a claim: what is read is shared by the stamp from before."""
    await house.fetch()
    house.shared.writes.clear()
    house.clock.now += 4000  # what is there is too old, so that the look-up does not claim it
    house.shared.stamps[key_of(ADA)] = b"a while ago"
    house.shared.unheard = True
    assert content(await house.fetch()) == {"plan": ADA.value}
    assert house.shared.writes == ["traits"]
    assert house.shared.claims == set()


async def test_a_refresh_that_lets_pages_go_first_is_no_failure(house: House) -> None:
    """Nothing is wrong: what is served is as old as it may be. Any other refusal is told."""
    await house.fetch()
    house.clock.now += 400
    house.reader.failures["plan"] = Shed("budget")
    await house.fetch()
    assert (await house.fetch()).failed == frozenset()
    await house.fetch(BOB)
    house.clock.now += 400
    house.reader.failures["plan"] = Shed("breaker")
    house.reader.failures.clear()
    await house.fetch(BOB)
    house.clock.now += 400
    house.reader.failures["plan"] = Shed("breaker")
    await house.fetch(BOB)
    assert (await house.fetch(BOB)).failed == frozenset({"traits"})


async def test_those_who_joined_a_read_that_failed_may_succeed(house: House) -> None:
    """Only whoever began it is left with its failure."""
    house.reader.gate.clear()
    house.reader.failures["plan"] = Shed("budget")
    fetches = [asyncio.create_task(house.fetch()) for _ in range(10)]
    await house.reader.reached.wait()
    await settled()
    house.reader.during = lambda: house.reader.failures.clear() if len(house.reader.asked) == 2 else None
    house.reader.gate.set()
    snapshots = await asyncio.gather(*fetches)
    assert sorted(bool(snapshot.missing) for snapshot in snapshots) == [False] * 9 + [True]
    assert len(house.reader.asked) == 2


async def test_who_joined_a_read_is_told_so(house: House) -> None:
    """In its readings, as in the metric."""
    house.reader.gate.clear()
    first, second = (asyncio.create_task(house.fetch()) for _ in range(2))
    await house.reader.reached.wait()
    house.reader.gate.set()
    readings = [(await fetch).readings["traits"] for fetch in (first, second)]
    assert [(one.tier, one.coalesced) for one in readings] == [("profile_api", False), ("profile_api", True)]


async def test_what_is_known_costs_a_client_nothing(house: House) -> None:
    """In memory or in the shared tier; nor does waiting for what is being read for somebody else."""
    purse = Purse()
    await house.fetch()
    await house.fetch(allowance=purse)
    house.forget_here()
    await house.fetch(allowance=purse)
    house.reader.gate.clear()
    first, joined = (asyncio.create_task(house.fetch(BOB, allowance=one)) for one in (Purse(1), purse))
    await settled()
    house.reader.gate.set()
    assert content(await first) == content(await joined) == {"plan": BOB.value}
    assert purse.asked == 0
    assert len(house.reader.asked) == 2


async def test_a_client_that_had_its_share_gets_no_read(house: House) -> None:
    """The page is degraded at once, and nothing of it is held against the visitor: the next client gets the profile."""
    snapshot = await house.fetch(sections=BOTH, allowance=Purse())
    assert (dict(snapshot.sections), set(snapshot.failed), house.reader.asked) == ({}, {"traits", "events"}, [])
    assert (house.counted("default"), house.counted("shed")) == (1, 0)
    assert (await house.fetch(sections=BOTH)).failed == frozenset()


async def test_a_client_that_had_its_share_still_joins_others(house: House) -> None:
    """Of two sections the one that somebody else reads is served."""
    house.reader.gate.clear()
    first = asyncio.create_task(house.fetch())
    await settled()
    second = asyncio.create_task(house.fetch(sections=BOTH, allowance=Purse()))
    await settled()
    house.reader.gate.set()
    await first
    snapshot = await second
    assert content(snapshot) == {"plan": ADA.value}
    assert snapshot.failed == {"events"}


async def test_a_client_that_had_its_share_gets_what_is_known(house: House) -> None:
    """Expired as it is, and then it is degraded; what is only stale is not, and is not read again for this client."""
    await house.fetch()
    house.clock.now += 400
    stale = await house.fetch(allowance=Purse())
    house.clock.now += 400
    expired = await house.fetch(allowance=Purse())
    assert (content(stale), stale.failed) == ({"plan": ADA.value}, frozenset())
    assert (content(expired), set(expired.failed)) == ({"plan": ADA.value}, {"traits"})
    assert len(house.reader.asked) == 1


async def test_reading_behind_the_visitors_back_counts_too(house: House) -> None:
    """It costs Segment's budget as any other read."""
    purse = Purse(1)
    await house.fetch()
    house.clock.now += 400
    await house.fetch(allowance=purse)
    assert (purse.reads, len(house.reader.asked)) == (0, 2)
