"""Needs refuse what the Profile API cannot carry; a plan is their union."""

import math
from collections.abc import Callable

import pytest
from msgspec import Meta

from personalize import AllTraits, Audiences, Events, ExternalIds, Links, Metadata, Param, Trait
from personalize.model import Collection, SectionName
from personalize.needs import EventsSpec, Plan, ProfileNeed, TraitsSpec, Wanted, WholeSpec, section_of


def wants(*needs: ProfileNeed, ttl: float = math.inf, collection: Collection = "users") -> Wanted:
    return Wanted(collection, needs, ttl)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Trait(""), "may not be empty"),
        (lambda: Trait("a,b"), "'a,b' contains a comma"),
        (lambda: Events(""), "may not be empty"),
        (lambda: Events("Viewed", ""), "may not be empty"),
        (lambda: Events("Viewed", "Ordered, paid"), "'Ordered, paid' contains a comma"),
        (lambda: Events("Viewed", limit=0), "1 to 100, not 0"),
        (lambda: Events("Viewed", limit=-1), "1 to 100, not -1"),
        (lambda: Events("Viewed", limit=101), "1 to 100, not 101"),
    ],
)
def test_a_need_that_cannot_be_read_is_refused(make: Callable[[], object], reason: str) -> None:
    """Where it is written, with the reason."""
    with pytest.raises(ValueError, match=reason):
        make()


@pytest.mark.parametrize("limit", [1, 100])
def test_events_are_limited_to_a_page(limit: int) -> None:
    """From one event to the Profile API's largest page."""
    assert Events("Viewed", limit=limit).limit == limit


def test_events_may_be_of_any_name() -> None:
    """A timeline's, a page of them unless limited."""
    assert (Events().names, Events().limit, Events(limit=3).limit) == ((), 100, 3)


def test_events_are_as_many_as_a_page_unless_limited() -> None:
    """And keep the order of their names."""
    need = Events("Viewed", "Ordered")
    assert (need.names, need.limit) == (("Viewed", "Ordered"), 100)


@pytest.mark.parametrize(
    ("param", "meta"),
    [
        (Param(), Meta()),
        (Param(ge=0, le=20), Meta(ge=0, le=20)),
        (Param(min_length=0, max_length=3, pattern="^a"), Meta(min_length=0, max_length=3, pattern="^a")),
        (Param(description="How many."), Meta(description="How many.")),
    ],
)
def test_a_parameters_bounds_are_a_constraint(param: Param, meta: Meta) -> None:
    """Every bound that is given, zero too, and no other."""
    assert param.meta() == meta


class TestPlan:
    def test_a_section_is_the_union_of_all_recipes(self) -> None:
        """A trait that two recipes read is read once."""
        plan = Plan(
            [
                wants(Trait("b"), Events("Viewed", limit=5)),
                wants(Trait("b"), Trait("a")),
                wants(Events("Ordered"), Events("Viewed", limit=5), Events("Viewed", limit=9)),
            ],
            ttl_max=300,
        )
        assert plan.sections("users", ["traits", "events"]) == {
            "traits": TraitsSpec(("a", "b"), 300),
            "events": EventsSpec((Events("Ordered"), Events("Viewed", limit=5), Events("Viewed", limit=9)), 300),
        }

    def test_the_order_of_recipes_does_not_matter(self) -> None:
        """Replicas that load the same recipes have the same plan."""
        recipes = [wants(Trait("b"), Events("B")), wants(Trait("a"), Events("A"))]
        names: list[SectionName] = ["traits", "events"]
        assert Plan(recipes, ttl_max=9).sections("users", names) == Plan(reversed(recipes), ttl_max=9).sections(
            "users", names
        )

    def test_only_the_sections_asked_for_are_read(self) -> None:
        """Though all recipes need more."""
        plan = Plan([wants(Trait("a"), Events("Viewed"))], ttl_max=300)
        assert list(plan.sections("users", ["events"])) == ["events"]
        assert plan.sections("users", []) == {}

    def test_collections_are_kept_apart(self) -> None:
        """A user is never asked for an account's traits, nor refreshed at its pace."""
        plan = Plan([wants(Trait("plan"), ttl=10), wants(Trait("seats"), ttl=20, collection="accounts")], ttl_max=300)
        assert plan.sections("users", ["traits"]) == {"traits": TraitsSpec(("plan",), 10)}
        assert plan.sections("accounts", ["traits"]) == {"traits": TraitsSpec(("seats",), 20)}

    @pytest.mark.parametrize(
        ("ttls", "ttl"),
        [([math.inf], 300), ([60], 60), ([60, 20, 100], 20), ([600], 300), ([300], 300), ([0], 0)],
    )
    def test_the_smallest_ttl_wins_under_the_ceiling(self, ttls: list[float], ttl: float) -> None:
        """A recipe may want profiles fresher than the deployment's, never older."""
        plan = Plan([wants(Trait("plan"), ttl=one) for one in ttls], ttl_max=300)
        assert plan.sections("users", ["traits"])["traits"].ttl == ttl

    def test_a_section_has_the_ttl_of_those_who_read_it(self) -> None:
        """A recipe of traits alone does not hurry the events."""
        plan = Plan([wants(Trait("plan"), ttl=10), wants(Events("Viewed"), ttl=60)], ttl_max=300)
        sections = plan.sections("users", ["traits", "events"])
        assert (sections["traits"].ttl, sections["events"].ttl) == (10, 60)

    @pytest.mark.parametrize(
        ("need", "section"),
        [
            (AllTraits(), "all_traits"),
            (Audiences(), "audiences"),
            (Events(limit=5), "all_events"),
            (ExternalIds(), "external_ids"),
            (Links(), "links"),
            (Metadata(), "metadata"),
        ],
    )
    def test_what_is_read_whole_is_a_section_of_its_own(self, need: ProfileNeed, section: SectionName) -> None:
        """It has no names, widens nothing, and hurries nothing."""
        plan = Plan([wants(need, ttl=10), wants(need, ttl=20), wants(Trait("a"), Events("Viewed"))], ttl_max=300)
        assert plan.sections("users", [section]) == {section: WholeSpec(section, 10)}
        assert plan.sections("users", ["traits", "events"]) == {
            "traits": TraitsSpec(("a",), 300),
            "events": EventsSpec((Events("Viewed"),), 300),
        }
        assert section_of(need) == section

    def test_the_names_of_events_are_those_of_all_needs(self) -> None:
        """Sorted, and each once."""
        spec = EventsSpec((Events("Viewed", "Ordered"), Events("Added", "Viewed")), 300)
        assert spec.names == ("Added", "Ordered", "Viewed")


@pytest.mark.parametrize(
    ("needs", "trait", "audience"),
    [
        ((), False, False),
        ((Trait("plan"),), True, True),
        ((Trait("city"), Events("Viewed")), False, False),
        ((AllTraits(),), True, True),
        ((Audiences(),), False, True),
    ],
)
def test_a_plan_knows_whether_a_trait_is_read(needs: tuple[ProfileNeed, ...], *, trait: bool, audience: bool) -> None:
    """By its name, among all, or as an audience; an account's are another matter."""
    plan = Plan([wants(*needs), wants(Trait("plan"), collection="accounts")], ttl_max=300)
    assert [plan.reads("plan", audience=one) for one in (False, True)] == [trait, audience]
