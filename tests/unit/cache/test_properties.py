"""Whatever happens in whatever order: nobody sees another's data, nothing is too old, and what was forgotten is gone.

Two replicas with one shared tier go through random steps; a read tells whose it is and which of all reads it was, so
that every answer can be judged by itself.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from personalize.cache.amendment import Change, Doubt
from personalize.cache.reads import FLEET_SECONDS
from personalize.errors import ProfileNotFound, ServerFault
from personalize.model import Collection, ExternalId
from personalize.needs import SectionSpec
from personalize.ports import Ask, Errand
from tests.loops import now, run
from tests.unit.cache.house import AGES, TRAITS, Clock, House, Reader, Shared, key_of

VISITORS = [ExternalId("user_id", f"u{number}") for number in range(2)]

visitors = st.sampled_from(VISITORS)
replicas = st.integers(0, 1)
fetch = st.tuples(st.just("fetch"), replicas, visitors)
land = st.tuples(st.just("land"), st.integers(0, 2), st.sampled_from(["answer", "answer", "fail", "unknown"]))
forget = st.tuples(st.just("forget"), replicas, visitors)
push = st.tuples(st.just("push"), replicas, visitors)
doubt = st.tuples(st.just("doubt"), replicas, visitors)
crowd_out = st.tuples(st.just("crowd out"), replicas, visitors)
step = st.tuples(st.just("step"), st.sampled_from([1.0, 29.0, 301.0, 601.0, 90_000.0, -3600.0]), st.none())
hear = st.tuples(st.just("hear"), st.booleans(), st.none())
away = st.tuples(st.just("away"), st.booleans(), st.none())
evict = st.tuples(st.just("evict"), visitors, st.none())

usual = st.one_of(fetch, land, forget, push)
steps = st.lists(st.one_of(usual, usual, usual, doubt, crowd_out, step, hear, away, evict), min_size=8, max_size=40)
"""What can happen; the usual things often enough for them to meet in every order."""


BETWEEN = 2 * FLEET_SECONDS
"""Seconds from one thing to the next: nobody waits for another replica any more by then."""


class Api(Reader):
    """A Profile API whose reads land when a test says so, each telling whose it is and its number."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.open: list[tuple[dict[str, Any], asyncio.Future[dict[str, Any]]]] = []

    async def read(
        self, collection: Collection, external_id: ExternalId, spec: SectionSpec, errand: Errand
    ) -> dict[str, Any]:
        self.number += 1
        told = {"plan": f"{external_id.value} {self.number}"}
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.open.append((told, answer))
        return await answer

    def land(self, place: int, how: str) -> None:
        if not self.open:
            return
        told, answer = self.open.pop(place % len(self.open))
        if answer.done():  # its replica has closed
            return
        if how == "answer":
            answer.set_result(told)
        else:
            answer.set_exception(ProfileNotFound("none") if how == "unknown" else ServerFault("no luck"))


@dataclass
class World:
    """Two replicas, what they read, and since which read each visitor may be known."""

    api: Api = field(default_factory=Api)
    shared: Shared = field(default_factory=Shared)
    clock: Clock = field(default_factory=Clock)
    pages: list[asyncio.Task[None]] = field(default_factory=list)
    forgotten_at: dict[ExternalId, int] = field(default_factory=dict)
    changed_at: dict[ExternalId, int] = field(default_factory=dict)
    pushed: int = 0

    def __post_init__(self) -> None:
        self.houses = [House(self.shared, self.clock, self.api, now) for _ in range(2)]

    async def take(self, step: tuple[Any, ...]) -> None:
        """Let one thing happen."""
        what, first, second = step
        if what == "fetch":
            self.pages.append(asyncio.create_task(self.page(self.houses[first], second)))
        elif what == "land":
            self.api.land(first, second)
        elif what == "forget":
            await self.forget(self.houses[first], second)
        elif what in {"push", "doubt"}:
            await self.amend(self.houses[first], second, certain=what == "push")
        elif what == "step":
            self.clock.now += first
        elif what == "evict":
            self.evict(first)
        elif what == "hear":
            await self.hear(hearing=first)
        elif what == "away":
            self.shared.away = first
            await self.hear(hearing=False)
        else:
            self.houses[first].forget_here(second)
        await asyncio.sleep(BETWEEN)

    async def page(self, house: House, visitor: ExternalId) -> None:
        """Fetch, and judge what came of it.

        A replica that heard nothing and can ask nobody serves what it knows: nothing else can be right there.
        """
        since, away = self.forgotten_at.get(visitor, 0), self.shared.away
        changed = self.changed_at.get(visitor, 0)
        deadline = asyncio.get_running_loop().time() + 3600
        snapshot = await house.source.fetch(Ask("users", visitor, TRAITS, deadline))
        section = snapshot.sections.get("traits")
        assert (section is None) == bool(snapshot.missing)
        if section is not None:
            assert self.clock.now - section.fetched_at < AGES.stale, "too old"
        if section is not None and isinstance(section.content, dict):
            whose, number = section.content["plan"].split(" ")
            assert whose == visitor.value, "another visitor's"
            assert int(number) > since or away, "forgotten"
            assert int(number) > changed or away or snapshot.failed, "changed"

    async def forget(self, house: House, visitor: ExternalId) -> None:
        """Forget, and remember the last read that was begun before: it and those before it are gone for good."""
        before = self.api.number
        if await house.source.forget("users", [visitor]):
            self.forgotten_at[visitor] = before

    async def amend(self, house: House, visitor: ExternalId, *, certain: bool) -> None:
        """Push a value, numbered as a read is, or a doubt: what was read before is not served from then on.

        A value that came too late to count changes nothing.
        """
        before = self.api.number
        self.api.number += 1
        self.pushed += 1
        at = self.clock.now + self.pushed / 1e6
        change = Change("plan", f"{visitor.value} {self.api.number}", at)
        if await house.source.amend("users", [visitor], change if certain else Doubt()) not in {None, "repeated"}:
            self.changed_at[visitor] = before

    def evict(self, visitor: ExternalId) -> None:
        """Let the shared tier lose a profile; those who hear nothing of each other would have needed its stamp."""
        if self.shared.live_since is not None:
            self.shared.evict(key_of(visitor))

    async def hear(self, *, hearing: bool) -> None:
        """Let messages between the replicas be lost, or be heard again: from then on."""
        self.shared.listeners.clear()
        self.shared.live_since = now() if hearing else None
        if hearing:
            for house in self.houses:
                await house.source.listen()

    async def end(self) -> None:
        """Let all reads land, and see that every page was answered as it should be."""
        for house in self.houses:
            await house.source.aclose()
        await asyncio.gather(*self.pages)


async def history_of(steps: list[tuple[Any, ...]]) -> None:
    """Let a world go through steps, and judge every answer in it."""
    world = World()
    await world.hear(hearing=True)
    for one in steps:
        await world.take(one)
    await world.end()


@given(steps)
@example(
    [
        ("hear", False, None),
        ("fetch", 0, VISITORS[0]),
        ("fetch", 1, VISITORS[0]),
        ("forget", 0, VISITORS[0]),
        ("fetch", 1, VISITORS[0]),
        ("land", 1, "answer"),
    ]
)
@example(
    [
        ("away", True, None),
        ("fetch", 1, VISITORS[0]),
        ("away", False, None),
        ("forget", 0, VISITORS[0]),
        ("fetch", 1, VISITORS[0]),
        ("land", 0, "answer"),
    ]
)
@example(
    [
        ("fetch", 0, VISITORS[0]),
        ("forget", 1, VISITORS[0]),
        ("evict", VISITORS[0], None),
        ("land", 0, "answer"),
        ("fetch", 1, VISITORS[0]),
    ]
)
@settings(max_examples=600, deadline=None)
def test_random_histories_keep_the_promises(history: list[tuple[Any, ...]]) -> None:
    """No other visitor's data, nothing past its hard limit, nothing that was forgotten."""
    run(history_of(history))
