"""Visitor and recipes to outcomes: what is asked of whom, and what each recipe answers when things break."""

import asyncio
import json
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

import pytest
from prometheus_client import CollectorRegistry

from personalize import Event, Events, Items, Now, Param, Trait, recipe
from personalize.engine import Call, Engine, Outcome
from personalize.model import AnySection, Reading, Section, SectionName, Snapshot, Visitor
from personalize.needs import Plan
from personalize.ports import UNLIMITED, Allowance, Ask, Basis
from personalize.registry import AnyRecipe
from personalize.telemetry.metrics import Metrics
from personalize.testing import NOW

ADA = Visitor(user_id="ada")
BOTH = Visitor(user_id="ada", anonymous_id="a1")


@recipe("town")
def town(city: Annotated[str, Trait("city")] = "nowhere") -> str:
    """Return the visitor's town."""
    return city


@recipe("age")
def age(years: Annotated[int, Trait("age")] = 0, plus: Annotated[int, Param()] = 0) -> int:
    """Return the visitor's age, and some years more."""
    return years + plus


@recipe("views")
def views(events: Annotated[tuple[Event, ...], Events("Viewed")] = ()) -> int:
    """Return how much was viewed."""
    return len(events)


@recipe("mixed")
def mixed(
    city: Annotated[str, Trait("city")] = "nowhere", events: Annotated[tuple[Event, ...], Events("Viewed")] = ()
) -> str:
    """Return the town, and how much was viewed."""
    return f"{city} {len(events)}"


@recipe("seats", collection="accounts")
def seats(count: Annotated[int, Trait("seats")] = 1) -> int:
    """Return the account's seats."""
    return count


@recipe("clock")
def clock(now: Annotated[datetime, Now()], posts: Annotated[list[str], Items("posts")]) -> list[str]:
    """Return the hour and the posts, which are nobody's in particular."""
    return [str(now.hour), *posts]


@recipe("fussy")
def fussy(city: Annotated[str, Trait("city")] = "nowhere") -> int:
    """Return the length of a name, and fail for all but the default."""
    return {"nowhere": 7}[city]


@recipe("broken")
def broken(city: Annotated[str, Trait("city")] = "nowhere") -> int:
    """Fail for everybody."""
    raise LookupError(city)


@recipe("liar")
def liar(city: Annotated[str, Trait("city")] = "nowhere") -> int:
    """Return something else than a number, unless the visitor is unknown."""
    return 7 if city == "nowhere" else city  # type: ignore[return-value]  # the lie


@recipe("always-liar")
def always_liar() -> int:
    """Return something else than a number."""
    return "seven"  # type: ignore[return-value]  # the lie


ALL: tuple[AnyRecipe, ...] = (town, age, views, mixed, seats, clock, fussy, broken, liar, always_liar)


@dataclass
class Profiles:
    """A source that answers from `known` and remembers every ask; whoever is not there does not exist."""

    known: Mapping[str, Snapshot] = field(default_factory=dict)
    asks: list[Ask] = field(default_factory=list)

    async def fetch(self, ask: Ask) -> Snapshot:
        self.asks.append(ask)
        return self.known.get(str(ask.external_id), nobody(ask))

    def peek(self, ask: Ask) -> Basis | None:
        return None

    @property
    def asked(self) -> list[str]:
        return [f"{ask.collection} {ask.external_id}" for ask in self.asks]


def nobody(ask: Ask) -> Snapshot:
    sections: dict[SectionName, AnySection] = {name: Section(None, (), 0.0) for name in ask.sections}
    return Snapshot(sections, fresh_for=30)


def profile(
    traits: dict[str, Any] | None = None,
    events: tuple[Event, ...] | None = None,
    *,
    failed: frozenset[SectionName] = frozenset(),
) -> Snapshot:
    """Return a snapshot of the sections given, fresh for a minute."""
    sections: dict[SectionName, AnySection] = {}
    if traits is not None:
        sections["traits"] = Section(traits, (), 0.0)
    if events is not None:
        sections["events"] = Section(events, (), 0.0)
    return Snapshot(sections, failed, fresh_for=60)


VIEWED = (Event("Viewed", NOW), Event("Viewed", NOW))
ROME = profile({"city": "Rome", "age": 41}, VIEWED)


class Allowed:
    """An allowance of as much as one likes."""

    left = True

    def spend(self) -> bool:
        return True


@dataclass(frozen=True)
class Posts:
    """A provider of two posts, or one that fails."""

    name: str = "posts"
    version: int = 1
    failure: Exception | None = None

    def items(self) -> object:
        if self.failure is not None:
            raise self.failure
        return ["first", "second"]


@pytest.fixture
def metrics() -> Metrics:
    """Return metrics of this test alone."""
    return Metrics(CollectorRegistry())


@dataclass
class Service:
    """An engine over all recipes above, with its source at hand."""

    metrics: Metrics
    posts: Posts = field(default_factory=Posts)

    async def serve(
        self,
        source: Profiles,
        *calls: AnyRecipe | Call,
        visitor: Visitor = ADA,
        seconds: float = 10,
        allowance: Allowance = UNLIMITED,
    ) -> list[Outcome]:
        recipes = {one.name: one for one in (*ALL, *(one for one in calls if not isinstance(one, Call)))}
        plan = Plan([one.wanted for one in recipes.values()], ttl_max=300)
        engine = Engine(plan, source, {"posts": self.posts}, metrics=self.metrics, now=lambda: NOW)
        made = [one if isinstance(one, Call) else Call(one, {}) for one in calls]
        try:
            deadline = asyncio.get_running_loop().time() + seconds
            return await engine.serve(made, visitor, deadline, "page", allowance)
        finally:
            engine.close()

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"personalize_{name}_total", labels) or 0


@pytest.fixture
def service(metrics: Metrics) -> Service:
    """Return a service."""
    return Service(metrics)


def told(outcome: Outcome) -> tuple[object, bool, bool, str, float]:
    """Return an outcome's data, and whether it is personalized and degraded, from where, and how fresh."""
    data = None if outcome.data is None else json.loads(bytes(outcome.data))
    return data, outcome.personalized, outcome.degraded, outcome.provenance, outcome.fresh_for


class TestAsking:
    async def test_two_recipes_of_one_visitor_cost_one_fetch(self, service: Service) -> None:
        """Of the union of their sections, each for all loaded recipes."""
        source = Profiles({"user_id:ada": ROME})
        await service.serve(source, town, views)
        (ask,) = source.asks
        assert str(ask.external_id) == "user_id:ada"
        assert sorted(ask.sections) == ["events", "traits"]
        assert ask.sections["traits"].asked == ("age", "city")

    async def test_only_the_sections_that_these_recipes_read_are_asked_for(self, service: Service) -> None:
        """Though the plan has more."""
        source = Profiles()
        await service.serve(source, views)
        assert [list(ask.sections) for ask in source.asks] == [["events"]]

    async def test_the_deadline_is_passed_on(self, service: Service) -> None:
        """As the time of the loop's clock that it is."""
        source = Profiles()
        before = asyncio.get_running_loop().time()
        await service.serve(source, town, seconds=10)
        assert before + 10 <= source.asks[0].deadline <= asyncio.get_running_loop().time() + 10

    async def test_the_allowance_is_passed_on(self, service: Service) -> None:
        """The one of a request goes with all that it asks: of users and accounts, of the first id and the second."""
        source, allowance = Profiles(), Allowed()
        about = Visitor(user_id="ada", anonymous_id="a1", group_id="g1")
        await service.serve(source, views, seats, visitor=about, allowance=allowance)
        assert len(source.asks) == 3
        assert all(ask.allowance is allowance for ask in source.asks)

    async def test_collections_are_asked_for_their_own_ids(self, service: Service) -> None:
        """And their own sections: a page may be about a user and the user's account."""
        source = Profiles({"user_id:ada": ROME, "group_id:g1": profile({"seats": 9})})
        outcomes = await service.serve(source, views, seats, visitor=Visitor(user_id="ada", group_id="g1"))
        assert sorted(source.asked) == ["accounts group_id:g1", "users user_id:ada"]
        assert {ask.collection: list(ask.sections) for ask in source.asks} == {
            "users": ["events"],
            "accounts": ["traits"],
        }
        assert [told(outcome)[0] for outcome in outcomes] == [2, 9]

    async def test_a_known_user_is_asked_for_alone(self, service: Service) -> None:
        """The anonymous id is not needed."""
        source = Profiles({"user_id:ada": ROME, "anonymous_id:a1": profile({"city": "Oslo"})})
        (outcome,) = await service.serve(source, town, visitor=BOTH)
        assert source.asked == ["users user_id:ada"]
        assert told(outcome)[0] == "Rome"

    async def test_a_user_who_is_not_found_is_looked_up_as_anonymous(self, service: Service) -> None:
        """In this order, one after the other."""
        source = Profiles({"anonymous_id:a1": profile({"city": "Oslo"})})
        (outcome,) = await service.serve(source, town, visitor=BOTH)
        assert source.asked == ["users user_id:ada", "users anonymous_id:a1"]
        assert told(outcome)[:4] == ("Oslo", True, False, "fresh")

    async def test_an_answer_is_no_fresher_than_the_first_ids_absence(self, service: Service) -> None:
        """The user may come to exist sooner than what is known of the anonymous one grows old."""
        source = Profiles({"anonymous_id:a1": profile({"city": "Oslo"})})
        (outcome,) = await service.serve(source, town, visitor=BOTH)
        assert outcome.fresh_for == 30

    async def test_after_a_failed_read_the_second_id_is_not_asked(self, service: Service) -> None:
        """Nobody knows whether the user exists, and the anonymous profile may be another person's."""
        source = Profiles({"user_id:ada": profile(failed=frozenset[SectionName]({"traits"}))})
        (outcome,) = await service.serve(source, town, visitor=BOTH)
        assert source.asked == ["users user_id:ada"]
        assert told(outcome)[:4] == ("nowhere", False, True, "default")

    async def test_a_user_who_was_last_known_not_to_exist_does_not_hide_the_other_id(self, service: Service) -> None:
        """A failed read of something known is not the same as knowing nothing; the answer says that it failed."""
        unknown: dict[SectionName, AnySection] = {"traits": Section(None, (), 0.0)}
        gone = Snapshot(unknown, frozenset[SectionName]({"traits"}))
        source = Profiles({"user_id:ada": gone, "anonymous_id:a1": profile({"city": "Oslo"})})
        (outcome,) = await service.serve(source, town, visitor=BOTH)
        assert source.asked == ["users user_id:ada", "users anonymous_id:a1"]
        assert told(outcome)[:3] == ("Oslo", True, True)

    async def test_each_id_is_asked_with_the_others_beside_it(self, service: Service) -> None:
        """So that the source learns whose they are."""
        source = Profiles()
        await service.serve(source, town, visitor=BOTH)
        assert [[str(one) for one in ask.aliases] for ask in source.asks] == [["anonymous_id:a1"], ["user_id:ada"]]

    async def test_what_is_older_than_it_should_be_is_stale(self, service: Service) -> None:
        """Personalized all the same, and with what the headers tell."""
        readings: dict[SectionName, Reading] = {"traits": Reading("memory", "stale", -5.0)}
        source = Profiles({"user_id:ada": Snapshot(ROME.sections, readings=readings)})
        (outcome,) = await service.serve(source, town)
        assert told(outcome) == ("Rome", True, False, "stale", 0)
        assert (outcome.readings, outcome.seconds > 0) == (readings, True)

    async def test_a_recipe_without_profile_needs_asks_nobody(self, service: Service) -> None:
        """Its answer is everybody's, and stays so."""
        source = Profiles()
        (outcome,) = await service.serve(source, clock)
        assert source.asks == []
        assert told(outcome) == (["12", "first", "second"], False, False, "fresh", float("inf"))

    async def test_a_profile_does_not_age_what_is_everybodys(self, service: Service) -> None:
        """Each recipe of a page is as fresh as what it read."""
        outcomes = await service.serve(Profiles({"user_id:ada": ROME}), town, clock)
        assert [outcome.fresh_for for outcome in outcomes] == [60, float("inf")]

    async def test_nothing_asked_for_is_nothing_answered(self, service: Service) -> None:
        """And nothing read."""
        source = Profiles()
        assert await service.serve(source) == []
        assert source.asks == []


class TestOutcome:
    async def test_a_known_visitors_answer_is_personal(self, service: Service) -> None:
        """As fresh as the profile."""
        (outcome,) = await service.serve(Profiles({"user_id:ada": ROME}), town)
        assert told(outcome) == ("Rome", True, False, "fresh", 60)
        assert (outcome.recipe, outcome.error) == ("town", None)

    async def test_an_unknown_visitor_gets_the_defaults(self, service: Service) -> None:
        """Which is no failure of anything."""
        outcomes = await service.serve(Profiles(), town, views, visitor=BOTH)
        assert [told(outcome) for outcome in outcomes] == [
            ("nowhere", False, False, "negative", 30),
            (0, False, False, "negative", 30),
        ]

    async def test_a_visitor_without_what_the_recipe_reads_gets_the_defaults(self, service: Service) -> None:
        """The profile is known; its answer is not personal."""
        (outcome,) = await service.serve(Profiles({"user_id:ada": profile({})}), town)
        assert told(outcome) == ("nowhere", False, False, "fresh", 60)

    async def test_outcomes_are_in_the_order_asked(self, service: Service) -> None:
        """Each with its own parameters, even of one recipe twice."""
        source = Profiles({"user_id:ada": ROME})
        outcomes = await service.serve(source, Call(age, {"plus": 1}), views, town, Call(age, {"plus": 2}))
        assert [(outcome.recipe, told(outcome)[0]) for outcome in outcomes] == [
            ("age", 42),
            ("views", 2),
            ("town", "Rome"),
            ("age", 43),
        ]

    async def test_a_failed_section_degrades_those_who_read_it(self, service: Service) -> None:
        """And nobody else on the page."""
        source = Profiles({"user_id:ada": profile({"city": "Rome"}, failed=frozenset[SectionName]({"events"}))})
        outcomes = await service.serve(source, town, views, mixed, clock)
        assert [told(outcome)[:4] for outcome in outcomes] == [
            ("Rome", True, False, "fresh"),
            (0, False, True, "default"),
            ("Rome 0", True, True, "default"),
            (["12", "first", "second"], False, False, "fresh"),
        ]

    async def test_a_trait_of_another_type_is_counted(self, service: Service) -> None:
        """The visitor gets the default."""
        (outcome,) = await service.serve(Profiles({"user_id:ada": profile({"age": "old"})}), age)
        assert told(outcome)[:3] == (0, False, False)
        assert service.count("trait_mismatches", recipe="age", parameter="years") == 1


class TestFailure:
    @pytest.mark.parametrize(("failing", "reason"), [(fussy, "raised"), (liar, "returned")])
    async def test_a_recipe_that_fails_on_a_profile_answers_its_defaults(
        self, service: Service, failing: AnyRecipe, reason: str
    ) -> None:
        """Not kept as fresh, and counted once."""
        outcomes = await service.serve(Profiles({"user_id:ada": ROME}), failing, town)
        assert told(outcomes[0])[:4] == (7, False, False, "default")
        assert (outcomes[0].fresh_for, outcomes[0].error) == (0, None)
        assert told(outcomes[1])[0] == "Rome"
        assert service.count("recipe_failures", recipe=failing.name, reason=reason) == 1

    async def test_a_recipe_that_exits_does_not_end_the_service(self, service: Service) -> None:
        """`sys.exit()` is a failure like any other."""

        @recipe("leaver")
        def leaver(city: Annotated[str, Trait("city")] = "") -> int:
            """Leave for whoever has a city."""
            return sys.exit(1) if city else 7

        (outcome,) = await service.serve(Profiles({"user_id:ada": ROME}), leaver)
        assert told(outcome)[0] == 7

    async def test_falling_back_does_not_hide_a_failed_read(self, service: Service) -> None:
        """The answer is degraded as it was before."""

        @recipe("shy")
        def shy(
            city: Annotated[str, Trait("city")] = "", events: Annotated[tuple[Event, ...], Events("Viewed")] = ()
        ) -> int:
            """Fail for whoever has a city."""
            return {"": 0}[city]

        source = Profiles({"user_id:ada": profile({"city": "Rome"}, failed=frozenset[SectionName]({"events"}))})
        (outcome,) = await service.serve(source, shy)
        assert told(outcome) == (0, False, True, "default", 0)

    @pytest.mark.parametrize(
        ("failing", "reason", "visitor"),
        [
            (broken, "raised", ADA),
            (broken, "raised", Visitor(user_id="unknown")),
            (always_liar, "returned", ADA),
        ],
    )
    async def test_a_recipe_that_always_fails_costs_the_page_no_other(
        self, service: Service, failing: AnyRecipe, reason: str, visitor: Visitor
    ) -> None:
        """It alone is an error, with its reason."""
        outcomes = await service.serve(Profiles({"user_id:ada": ROME}), town, failing, views, visitor=visitor)
        assert [outcome.provenance == "error" for outcome in outcomes] == [False, True, False]
        assert told(outcomes[1]) == (None, False, False, "error", 0)
        assert outcomes[1].error is not None
        assert outcomes[1].error.reason == reason
        assert all(outcome.data is not None for outcome in (outcomes[0], outcomes[2]))

    async def test_a_provider_that_fails_costs_only_the_recipes_that_read_it(self, metrics: Metrics) -> None:
        """An installed one is foreign code as a recipe is."""
        service = Service(metrics, Posts(failure=LookupError()))
        outcomes = await service.serve(Profiles({"user_id:ada": ROME}), clock, town)
        assert told(outcomes[0]) == (None, False, False, "error", 0)
        assert told(outcomes[1])[0] == "Rome"
        assert service.count("recipe_failures", recipe="clock", reason="raised") == 1

    async def test_a_recipe_that_overruns_is_an_error_and_not_a_hang(self, service: Service) -> None:
        """It is not tried again with its defaults, and the other answers are there."""
        release, runs = threading.Event(), []

        @recipe("slow")
        def slow(city: Annotated[str, Trait("city")] = "nowhere") -> str:
            """Wait until the test lets go."""
            runs.append(city)
            release.wait()
            return city

        try:
            outcomes = await service.serve(Profiles({"user_id:ada": ROME}), slow, town, seconds=0.1)
        finally:
            release.set()
        assert told(outcomes[0]) == (None, False, False, "error", 0)
        assert outcomes[0].error is not None
        assert outcomes[0].error.reason == "overran"
        assert told(outcomes[1])[0] == "Rome"
        assert runs == ["Rome"]
        assert service.count("recipe_failures", recipe="slow", reason="overran") == 1

    async def test_a_recipe_has_a_moment_even_after_the_deadline(self, service: Service) -> None:
        """A profile that took all the time still leaves the defaults to be answered."""
        source = Profiles({"user_id:ada": profile(failed=frozenset[SectionName]({"traits"}))})
        (outcome,) = await service.serve(source, town, seconds=-5)
        assert told(outcome)[:4] == ("nowhere", False, True, "default")
