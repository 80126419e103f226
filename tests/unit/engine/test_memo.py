"""The memo: an answer is made once for all who are to get the same, and never kept beyond what it rests on."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import pytest
from msgspec import Raw
from prometheus_client import CollectorRegistry

from personalize import AllTraits, Event, Events, Items, Now, Param, Trait, recipe
from personalize.engine import Call, Engine
from personalize.engine.memo import ENTRY_BYTES, FORGETTING_SECONDS, MAX_ANSWER, Memo, key_of
from personalize.model import AnySection, Section, SectionName, Snapshot, Visitor
from personalize.needs import Plan
from personalize.ports import Ask, Basis
from personalize.registry import AnyRecipe
from personalize.telemetry.metrics import Metrics
from personalize.testing import NOW

called: list[str] = []


@recipe("town")
def town(
    posts: Annotated[list[str], Items("posts")],
    city: Annotated[str, Trait("city")] = "nowhere",
    limit: Annotated[int, Param()] = 5,
) -> list[str]:
    """Return the posts of a town."""
    called.append(city)
    return [f"{post} in {city}" for post in posts][:limit]


@recipe("hour")
def hour(now: Annotated[datetime, Now()]) -> int:
    """Return what time it is."""
    called.append("hour")
    return now.hour


@recipe("traits")
def traits(known: Annotated[Mapping[str, object], AllTraits()] = {}) -> list[str]:
    """Return what is known."""
    called.append("traits")
    return sorted(known)


@recipe("fussy")
def fussy(city: Annotated[str, Trait("city")] = "nowhere") -> int:
    """Return the length of a name, and fail for all but the default."""
    called.append(city)
    return {"nowhere": 7}[city]


@recipe("seen")
def seen(events: Annotated[tuple[Event, ...], Events("Viewed")] = ()) -> int:
    """Return how much was seen."""
    called.append("seen")
    return len(events)


@dataclass
class Posts:
    """A provider whose items change."""

    name: str = "posts"
    version: int = 1

    def items(self) -> object:
        return [f"post {self.version}"]


class Profiles:
    """A source that knows these users."""

    def __init__(self, **known: dict[str, Any]) -> None:
        self.known = known

    async def fetch(self, ask: Ask) -> Snapshot:
        told = self.known[ask.external_id.value]
        events = tuple(Event("Viewed", NOW, {"n": n}) for n in range(told.get("viewed", 0)))
        content: dict[SectionName, Any] = {"traits": told, "all_traits": told, "events": events}
        sections: dict[SectionName, AnySection] = {name: Section(content[name], (), 0.0) for name in ask.sections}
        return Snapshot(sections, fresh_for=60)

    def peek(self, ask: Ask) -> Basis | None:
        return None


@dataclass
class House:
    """An engine with its provider and a clock at hand."""

    engine: Engine
    posts: Posts
    metrics: Metrics
    now: datetime = NOW

    async def ask(self, one: AnyRecipe, user: str = "ada", **params: object) -> Any:
        """Return a recipe's answer about a user."""
        until = asyncio.get_running_loop().time() + 10
        (outcome,) = await self.engine.serve([Call(one, params)], Visitor(user_id=user), until)
        return None if outcome.data is None else json.loads(bytes(outcome.data))

    def reads(self, outcome: str) -> float:
        """Return how often the memo was asked with that outcome."""
        return self.metrics.registry.get_sample_value("personalize_memo_reads_total", {"outcome": outcome}) or 0


@contextmanager
def house(**known: dict[str, Any]) -> Iterator[House]:
    """Yield a house in which these users are known."""
    called.clear()
    metrics, posts = Metrics(CollectorRegistry()), Posts()
    plan = Plan([one.wanted for one in (town, hour, traits, fussy, seen)], ttl_max=300)
    one = House(Engine(plan, Profiles(**known), {"posts": posts}, metrics=metrics, now=lambda: one.now), posts, metrics)
    try:
        yield one
    finally:
        one.engine.close()


async def test_an_answer_is_made_once_for_all_who_get_the_same() -> None:
    """Whoever they are."""
    with house(ada={"city": "Rome"}, bob={"city": "Rome"}) as one:
        for user in ("ada", "bob", "ada"):
            assert await one.ask(town, user) == ["post 1 in Rome"]
        assert (called, one.reads("hit"), one.reads("miss")) == (["Rome"], 2, 1)


async def test_whoever_differs_gets_their_own() -> None:
    """In a trait, in a parameter, or in that a trait is not known: an empty town is no missing one."""
    with house(ada={"city": "Rome"}, bob={"city": "Oslo"}, eve={"city": ""}, joe={}) as one:
        answers = [await one.ask(town, user) for user in ("ada", "bob", "eve", "joe")]
        assert answers == [[f"post 1 in {city}"] for city in ("Rome", "Oslo", "", "nowhere")]
        assert await one.ask(town, limit=0) == []


async def test_new_items_make_new_answers() -> None:
    """By the provider's version."""
    with house(ada={"city": "Rome"}) as one:
        await one.ask(town)
        one.posts.version = 2
        assert await one.ask(town) == ["post 2 in Rome"]


async def test_what_reads_the_clock_is_asked_each_time() -> None:
    """Its answer rests on the moment."""
    with house(ada={}) as one:
        assert await one.ask(hour) == 12
        one.now += timedelta(hours=1)
        assert await one.ask(hour) == 13
        assert one.reads("hit") == one.reads("miss") == 0


async def test_a_trait_that_cannot_be_written_is_no_reason_to_fail() -> None:
    """A whole number of any size is JSON."""
    with house(ada={"big": 10**30}) as one:
        assert [await one.ask(traits), await one.ask(traits)] == [["big"], ["big"]]
        assert called == ["traits", "traits"]


async def test_values_that_are_written_alike_are_told_apart() -> None:
    """As are a text and a number, and what is nested in traits."""
    with house(ada={"a": 1}, bob={"a": "1"}, eve={"a": True}, joe={"a": [{"b": 1}]}) as one:
        for user in ("ada", "bob", "eve", "joe", "joe"):
            await one.ask(traits, user)
        assert called == ["traits"] * 4


async def test_events_are_part_of_it() -> None:
    """One more is another answer."""
    with house(ada={"viewed": 2}, bob={"viewed": 3}) as one:
        assert [await one.ask(seen, user) for user in ("ada", "bob", "ada")] == [2, 3, 2]
        assert called == ["seen"] * 2


async def test_a_failure_is_not_kept() -> None:
    """It is tried again, and counted again."""
    with house(ada={"city": "Rome"}) as one:
        assert [await one.ask(fussy), await one.ask(fussy)] == [7, 7]
        assert called == ["Rome", "nowhere", "Rome"]


def test_recipes_do_not_share_answers() -> None:
    """Though they were given the same."""
    given = {"city": "Rome"}
    assert key_of(fussy, given, []) != key_of(town, given, [])


@pytest.mark.parametrize(("size", "kept"), [(MAX_ANSWER, True), (MAX_ANSWER + 1, False)])
def test_a_large_answer_is_not_kept(*, size: int, kept: bool) -> None:
    """For it would push out many."""
    memo = Memo(Metrics(CollectorRegistry()))
    memo.write(b"key", Raw(b"7" * size))
    assert (memo.read(b"key") is not None) is kept


def test_the_memo_is_bounded() -> None:
    """The answer that was not asked for the longest goes first; what all take is shown."""
    metrics = Metrics(CollectorRegistry())
    memo = Memo(metrics, max_bytes=2 * (ENTRY_BYTES + 1))
    for key in (b"a", b"b", b"a", b"c"):
        if memo.read(key) is None:
            memo.write(key, Raw(b"1"))
    assert [memo.read(key) is not None for key in (b"a", b"b", b"c")] == [True, False, True]
    assert metrics.registry.get_sample_value("personalize_memo_bytes") == 2 * (ENTRY_BYTES + 1)


def test_when_people_are_forgotten_all_answers_are() -> None:
    """And for a moment none is kept: a request may be about to answer of them."""
    now = 100.0
    memo = Memo(Metrics(CollectorRegistry()), clock=lambda: now)
    memo.write(b"key", Raw(b"1"))
    memo.forget()
    assert memo.read(b"key") is None
    memo.write(b"key", Raw(b"1"))
    assert memo.read(b"key") is None
    now += FORGETTING_SECONDS
    memo.write(b"key", Raw(b"1"))
    assert memo.read(b"key") == Raw(b"1")
