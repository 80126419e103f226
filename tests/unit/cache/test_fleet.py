"""Replicas over one shared tier: one reads for all, and what one forgets is forgotten everywhere."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from personalize.cache.aliases import MAX_ALIASES
from personalize.cache.amendment import Change, Doubt
from personalize.cache.persons import MAX_FARTHER
from personalize.cache.reads import FLEET_SECONDS
from personalize.errors import ServerFault
from personalize.model import ExternalId
from tests.loops import now, run
from tests.unit.cache.house import (
    ADA,
    BOB,
    BOTH,
    IDS,
    NOW,
    TRAITS,
    Clock,
    House,
    Reader,
    Shared,
    content,
    key_of,
    settled,
)

ANONYMOUS = ExternalId("anonymous_id", "a-device")
PHONE = ExternalId("anonymous_id", "a-phone")


class Fleet:
    """Two replicas of one deployment."""

    def __init__(self) -> None:
        self.shared, self.clock, self.reader = Shared(), Clock(), Reader()
        self.one, self.two = (House(self.shared, self.clock, self.reader) for _ in range(2))


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    fleet = Fleet()
    await fleet.one.source.listen()
    await fleet.two.source.listen()
    yield fleet
    await fleet.one.source.aclose()
    await fleet.two.source.aclose()


async def test_one_replica_reads_for_all(fleet: Fleet) -> None:
    """The other waits for what the first one brings."""
    fleet.reader.gate.clear()
    pages = [asyncio.create_task(house.fetch()) for house in (fleet.one, fleet.two) for _ in range(10)]
    await fleet.reader.reached.wait()
    await settled()
    fleet.reader.gate.set()
    assert {str(content(await page)) for page in pages} == {str({"plan": ADA.value})}
    assert len(fleet.reader.asked) == 1
    assert fleet.two.counted("coalesced") == 10


async def test_the_other_replica_takes_over_when_the_reader_fails(fleet: Fleet) -> None:
    """Its failure is its own: whoever waited reads, at once."""
    fleet.reader.failures["plan"] = ServerFault("no luck")
    fleet.reader.gate.clear()
    first = asyncio.create_task(fleet.one.fetch())
    await fleet.reader.reached.wait()
    second = asyncio.create_task(fleet.two.fetch())
    await settled()
    fleet.reader.gate.set()
    assert (await first).missing == {"traits"}
    fleet.reader.failures.clear()
    assert content(await second) == {"plan": ADA.value}
    assert len(fleet.reader.asked) == 2


async def test_a_replica_that_died_while_reading_delays_nobody_for_long(fleet: Fleet) -> None:
    """Its right to read is still taken; after 200 ms the other one reads all the same."""
    fleet.shared.claims.add((key_of(ADA), "traits"))
    assert content(await fleet.one.fetch(within=5)) == {"plan": ADA.value}


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.02, 0.03, 0.04, 0.045])
def test_a_slow_shared_tier_does_not_lengthen_that(delay: float) -> None:
    """200 ms are for all: looking up, asking for the right to read, again and again, and the budget after it."""

    async def test() -> None:
        house = House()
        house.shared.claims.add((key_of(ADA), "traits"))
        house.shared.delay = delay
        begun = now()
        fetch = asyncio.create_task(house.fetch())
        await house.reader.reached.wait()
        assert now() - begun + delay <= FLEET_SECONDS + 1e-6
        assert content(await fetch) == {"plan": ADA.value}
        await house.source.aclose()

    run(test())


async def test_a_refresh_leaves_the_read_to_whoever_is_at_it(fleet: Fleet) -> None:
    """Nobody waits for it."""
    await fleet.one.fetch()
    fleet.clock.now += 400
    fleet.shared.claims.add((key_of(ADA), "traits"))
    assert (await fleet.one.fetch()).failed == set()
    await asyncio.sleep(0.25)
    assert len(fleet.reader.asked) == 1


async def test_a_refresh_takes_what_another_replica_has_read_meanwhile(fleet: Fleet) -> None:
    """Without a call."""
    await fleet.one.fetch()
    await fleet.two.fetch()
    fleet.clock.now += 400
    await fleet.one.fetch()
    await fleet.two.fetch()
    assert (await fleet.two.fetch()).fresh_for == 300
    assert len(fleet.reader.asked) == 2


@pytest.mark.parametrize("age", [0.0, 400.0])
async def test_what_another_replica_has_read_since_is_not_degraded(age: float) -> None:
    """That a replica's own attempt failed is no news of what is newer, neither when that is fresh nor when stale."""
    shared, clock = Shared(), Clock()
    one, two = House(shared, clock), House(shared, clock)
    one.reader.failures["plan"] = ServerFault("no luck")
    assert (await one.fetch()).failed == {"traits"}
    clock.now += 1
    await two.fetch()
    clock.now += age
    snapshot = await one.fetch()
    assert (content(snapshot), snapshot.failed) == ({"plan": ADA.value}, frozenset())
    assert one.counted("fresh" if age == 0 else "stale") == 1


async def test_while_the_shared_tier_is_away_each_reads_for_itself(fleet: Fleet) -> None:
    """And goes on with what it knows."""
    fleet.shared.away, fleet.shared.live_since = True, None
    for house in (fleet.one, fleet.two, fleet.one, fleet.two):
        assert content(await house.fetch()) == {"plan": ADA.value}
    assert len(fleet.reader.asked) == 2
    assert fleet.shared.writes == []


async def test_what_was_read_while_the_shared_tier_was_away_is_kept_when_it_is_back(fleet: Fleet) -> None:
    """Nothing says that it was forgotten."""
    fleet.shared.away, fleet.shared.live_since = True, None
    await fleet.one.fetch()
    fleet.shared.away = False
    await fleet.one.fetch()
    assert len(fleet.reader.asked) == 1


async def test_what_may_have_been_forgotten_while_the_shared_tier_was_away_is_not_served(fleet: Fleet) -> None:
    """Its stamp there is not empty, and nobody knows what it was when this was read."""
    await fleet.two.fetch()
    fleet.shared.away, fleet.shared.live_since = True, None
    await fleet.one.fetch()
    fleet.shared.away = False
    fleet.shared.listeners.clear()
    await fleet.two.source.forget("users", [ADA])
    fleet.reader.tells = lambda _: "new"
    assert content(await fleet.one.fetch()) == {"plan": "new"}


async def test_what_is_forgotten_is_forgotten_in_every_replica(fleet: Fleet) -> None:
    """The next page anywhere reads anew."""
    await fleet.one.fetch(sections=BOTH)
    await fleet.two.fetch(sections=BOTH)
    fleet.reader.tells = lambda _: "new"
    assert await fleet.one.source.forget("users", [ADA])
    assert content(await fleet.two.fetch()) == content(await fleet.one.fetch()) == {"plan": "new"}
    assert fleet.shared.stamps[key_of(ADA)]


async def test_every_replica_lets_go_of_what_else_it_holds_of_people(fleet: Fleet) -> None:
    """When somebody is forgotten, and not when something has changed."""
    await fleet.one.source.amend("users", [ADA], Doubt())
    assert (fleet.one.forgettings, fleet.two.forgettings) == (0, 0)
    await fleet.one.source.forget("users", [ADA])
    assert fleet.one.forgettings >= 1
    assert fleet.two.forgettings == 1


async def test_a_replica_that_heard_nothing_compares_before_it_serves(fleet: Fleet) -> None:
    """Messages may be lost; stamps are not."""
    await fleet.one.fetch()
    await fleet.two.fetch()
    fleet.shared.listeners.clear()
    await fleet.one.source.forget("users", [ADA])
    fleet.reader.tells = lambda _: "new"
    fleet.shared.live_since = None
    assert content(await fleet.two.fetch()) == {"plan": "new"}


async def test_a_read_from_before_does_not_bring_back_what_was_forgotten(fleet: Fleet) -> None:
    """Neither here, nor in the shared tier, nor in a replica that did not hear; and nobody new waits for it."""
    fleet.reader.gate.clear()
    pages = [asyncio.create_task(house.fetch()) for house in (fleet.one, fleet.two)]
    await fleet.reader.reached.wait()
    await settled()
    await fleet.two.source.forget("users", [ADA])
    fleet.reader.tells = lambda _: "new"
    after = asyncio.create_task(fleet.one.fetch())
    await settled()
    fleet.reader.gate.set()
    await asyncio.gather(*pages)
    assert content(await after) == {"plan": "new"}
    assert content(await fleet.two.fetch()) == content(await fleet.one.fetch()) == {"plan": "new"}
    assert [section.content for section in fleet.shared.sections.values()] == [{"plan": "new"}]


async def test_a_lookup_from_before_does_not_either(fleet: Fleet) -> None:
    """The shared tier's answer was on its way when the profile was forgotten."""
    await fleet.one.fetch()
    fleet.shared.delay = 0.01
    lookup = asyncio.create_task(fleet.two.fetch())
    await settled()
    old = dict(fleet.shared.sections)
    fleet.shared.delay = 0
    await fleet.one.source.forget("users", [ADA])
    fleet.shared.sections = old  # as the answer on its way says
    await lookup
    fleet.shared.sections = {}
    fleet.reader.tells = lambda _: "new"
    assert content(await fleet.two.fetch()) == {"plan": "new"}


async def test_ids_asked_together_are_forgotten_together(fleet: Fleet) -> None:
    """Whichever of them is named, wherever they were learnt."""
    await fleet.one.fetch(ADA, aliases=(ANONYMOUS,))
    await fleet.one.fetch(ANONYMOUS, aliases=(ADA,))
    await fleet.two.fetch(PHONE, aliases=(ADA,))
    await fleet.two.fetch(BOB)
    assert await fleet.two.source.forget("users", [ANONYMOUS])
    assert {key for key, _ in fleet.shared.sections} == {key_of(BOB)}
    asked = len(fleet.reader.asked)
    for external_id in (ADA, ANONYMOUS, PHONE, BOB):
        await fleet.two.fetch(external_id)
    assert len(fleet.reader.asked) == asked + 3


async def test_ids_of_nobody_are_not_remembered(fleet: Fleet) -> None:
    """Whoever makes up pairs of ids must not fill the tiers with them."""
    fleet.reader.failures["plan"] = ServerFault("no luck")
    await fleet.one.fetch(ADA, aliases=(ANONYMOUS,))
    assert fleet.shared.related_to == {}


async def test_forgetting_says_when_the_shared_tier_did_not_take_it(fleet: Fleet) -> None:
    """This process forgets all the same."""
    await fleet.one.fetch(sections=TRAITS)
    fleet.shared.away = True
    assert not await fleet.one.source.forget("users", [ADA])
    fleet.reader.tells = lambda _: "new"
    assert content(await fleet.one.fetch()) == {"plan": "new"}


async def test_all_who_are_named_and_those_learnt_with_them_are_forgotten(fleet: Fleet) -> None:
    """However many."""
    ids = [ExternalId("user_id", f"u{number}") for number in range(300)]
    others = {f"{external_id.value} other {number}" for external_id in ids for number in range(3)}
    for external_id in ids:
        mine = {other for other in others if other.startswith(f"{external_id.value} ")}
        fleet.shared.related_to[key_of(external_id)] = mine
    assert await fleet.one.source.forget("users", ids)
    assert {key_of(external_id) for external_id in ids} | others == fleet.shared.stamps.keys()


async def test_a_long_chain_of_made_up_ids_does_not_keep_somebody_from_being_forgotten(fleet: Fleet) -> None:
    """The nearest are forgotten, and it ends."""
    for number in range(2 * MAX_FARTHER):
        fleet.shared.related_to[f"k{number}"] = {f"k{number + 1}"}
    fleet.shared.related_to[key_of(ADA)] = {"k0"}
    assert await fleet.one.source.forget("users", [ADA])
    assert len(fleet.shared.stamps) == 1 + 1 + MAX_FARTHER
    assert {key_of(ADA), "k0", "k1", f"k{MAX_FARTHER}"} <= fleet.shared.stamps.keys()


async def test_what_was_not_taken_can_be_forgotten_by_any_replica(fleet: Fleet) -> None:
    """Who belongs together is known until all of it is forgotten, also what only one process had learnt."""
    fleet.shared.away, fleet.shared.live_since = True, None
    await fleet.one.fetch(ADA, aliases=(ANONYMOUS,))
    fleet.shared.away = False
    await fleet.two.fetch(ANONYMOUS)
    fleet.shared.refused = {key_of(ANONYMOUS)}
    assert not await fleet.one.source.forget("users", [ADA])
    fleet.shared.refused = set()
    assert await fleet.two.source.forget("users", [ADA])
    assert (fleet.shared.sections, fleet.shared.related_to) == ({}, {})


async def test_who_belongs_together_is_learnt_anew_after_a_forgetting(fleet: Fleet) -> None:
    """By every replica: one that had learnt it before tells the shared tier once more."""
    await fleet.two.fetch(ADA, aliases=(ANONYMOUS,))
    assert await fleet.one.source.forget("users", [ADA])
    await fleet.two.fetch(ADA, aliases=(ANONYMOUS,))
    await fleet.two.fetch(ANONYMOUS)
    assert await fleet.one.source.forget("users", [ADA])
    assert fleet.shared.sections == {}


async def test_made_up_ids_do_not_push_out_the_real(fleet: Fleet) -> None:
    """Whoever asks about somebody beside a hundred ids of his own changes nothing for the first ones."""
    await fleet.one.fetch(ADA, aliases=(ANONYMOUS,))
    await fleet.one.fetch(ANONYMOUS, aliases=(ADA,))
    for number in range(100):
        await fleet.one.fetch(ADA, aliases=(ExternalId("anonymous_id", f"made up {number}"),))
    assert len(fleet.shared.related_to[key_of(ADA)]) <= MAX_ALIASES
    await fleet.one.source.forget("users", [ADA])
    asked = len(fleet.reader.asked)
    await fleet.one.fetch(ANONYMOUS)
    assert len(fleet.reader.asked) == asked + 1


async def test_ids_that_segment_says_to_be_one_persons_are_forgotten_together(fleet: Fleet) -> None:
    """Whichever of them is named, in any replica; a page need never have asked with both."""
    fleet.reader.external_ids = (ADA, ANONYMOUS, PHONE)
    assert content(await fleet.one.fetch(ADA, IDS), "external_ids") == (ADA, ANONYMOUS, PHONE)
    for external_id in (PHONE, ANONYMOUS, BOB):
        await fleet.two.fetch(external_id)
    assert await fleet.two.source.forget("users", [PHONE])
    assert {key for key, _ in fleet.shared.sections} == {key_of(BOB)}
    asked = len(fleet.reader.asked)
    await fleet.one.fetch(ADA, IDS)
    await fleet.one.fetch(ANONYMOUS)
    assert len(fleet.reader.asked) == asked + 2


def plan(value: str, at: float = NOW + 1) -> Change:
    return Change("plan", value, at)


async def test_a_pushed_value_is_what_every_replica_serves_next(fleet: Fleet) -> None:
    """Without a read, and with the age that it had."""
    await fleet.one.fetch(sections=BOTH)
    await fleet.two.fetch(sections=BOTH)
    fleet.clock.now += 50
    assert await fleet.one.source.amend("users", [ADA], plan("pro")) == "written"
    for house in (fleet.two, fleet.one):
        snapshot = await house.fetch(sections=TRAITS)
        assert (content(snapshot), snapshot.fresh_for) == ({"plan": "pro"}, 250)
    assert len(fleet.reader.asked) == 2


async def test_an_older_value_does_not_come_back(fleet: Fleet) -> None:
    """Whichever replica is told, in whatever order, and however often."""
    await fleet.one.fetch()
    fleet.clock.now += 50
    news = [plan("new", NOW + 2), plan("old", NOW + 1), plan("new", NOW + 2)]
    outcomes = [
        await house.source.amend("users", [ADA], change)
        for change, house in zip(news, (fleet.one, fleet.two, fleet.two), strict=True)
    ]
    assert outcomes == ["written", "repeated", "repeated"]
    assert content(await fleet.one.fetch()) == content(await fleet.two.fetch()) == {"plan": "new"}
    assert len(fleet.reader.asked) == 1


async def test_a_read_that_was_under_way_does_not_bring_back_the_old_value(fleet: Fleet) -> None:
    """In no replica; whoever comes after the change reads anew."""
    fleet.reader.gate.clear()
    before = [asyncio.create_task(house.fetch()) for house in (fleet.one, fleet.two)]
    await fleet.reader.reached.wait()
    await settled()
    assert await fleet.two.source.amend("users", [ADA], plan("pro")) == "uncached"
    fleet.reader.tells = lambda _: "pro"
    after = asyncio.create_task(fleet.one.fetch())
    await settled()
    fleet.reader.gate.set()
    await asyncio.gather(*before)
    assert content(await after) == {"plan": "pro"}
    assert content(await fleet.one.fetch()) == content(await fleet.two.fetch()) == {"plan": "pro"}


async def test_ids_seen_together_get_no_value_but_are_read_anew(fleet: Fleet) -> None:
    """Anybody can put somebody else's id beside his own: what is his must not be shown to them."""
    await fleet.one.fetch(ADA, aliases=(ANONYMOUS,))
    await fleet.one.fetch(ANONYMOUS)
    fleet.clock.now += 50
    assert await fleet.two.source.amend("users", [ADA], plan("pro")) == "written"
    fleet.reader.tells = lambda _: "theirs"
    assert content(await fleet.one.fetch(ADA)) == {"plan": "pro"}
    assert content(await fleet.one.fetch(ANONYMOUS)) == {"plan": "theirs"}
    assert len(fleet.reader.asked) == 3


async def test_what_is_in_doubt_is_read_first_and_kept_for_when_that_fails(fleet: Fleet) -> None:
    """In every replica."""
    await fleet.one.fetch()
    await fleet.two.fetch()
    assert await fleet.one.source.amend("users", [ADA], Doubt()) == "invalidated"
    fleet.reader.failures["plan"] = ServerFault("no luck")
    snapshot = await fleet.two.fetch()
    assert (content(snapshot), snapshot.failed) == ({"plan": ADA.value}, frozenset({"traits"}))
    fleet.reader.failures.clear()
    fleet.reader.tells = lambda _: "new"
    await fleet.two.fetch()
    assert content(await fleet.one.fetch()) == {"plan": "new"}


async def test_a_change_that_the_shared_tier_did_not_take_is_not_done(fleet: Fleet) -> None:
    """This process lets go of what it has; a second try does it."""
    await fleet.one.fetch()
    fleet.shared.away = True
    assert await fleet.one.source.amend("users", [ADA], plan("pro")) is None
    assert fleet.one.memory.read(key_of(ADA), "traits") is None
    fleet.shared.away = False
    fleet.clock.now += 50
    assert await fleet.one.source.amend("users", [ADA], plan("pro")) == "written"


async def test_what_could_not_be_told_is_told_with_the_next_try(fleet: Fleet) -> None:
    """Though by then there is nothing else to do: the others have to hear of it."""
    await fleet.one.fetch()
    await fleet.two.fetch()
    fleet.clock.now += 50
    fleet.shared.mute = True
    assert await fleet.one.source.amend("users", [ADA], plan("pro")) is None
    assert content(await fleet.two.fetch()) == {"plan": ADA.value}
    fleet.shared.mute = False
    assert await fleet.one.source.amend("users", [ADA], plan("pro")) == "repeated"
    assert content(await fleet.two.fetch()) == {"plan": "pro"}
