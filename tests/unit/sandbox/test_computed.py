"""Computed traits and audiences, declared for the test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from personalize.sandbox.computed import Change, Computations, News
from personalize.sandbox.declarations import read
from personalize.sandbox.journal import Journal
from personalize.sandbox.store import ExternalId, Store
from tests.unit.sandbox.conftest import StillClock


class Unify:
    """A store where some declarations are computed, and what was told of them."""

    def __init__(self, store: Store, declared: str) -> None:
        self.store = store
        self.clock = StillClock()
        self.told: list[News] = []
        self.computations = Computations(store, self.clock, read(declared))
        self.journal = Journal(store, self.clock, self.computations, self.told.append)

    def call(self, call_type: str, **members: Any) -> None:
        self.journal.write([(call_type, json.dumps({"userId": "kim"} | members).encode())])

    def track(self, event: str, **properties: Any) -> None:
        self.clock.pass_by(seconds=1)
        self.call("track", event=event, properties=properties)

    def value(self, key: str) -> Any:
        profile = self.store.profiles.find("users", ExternalId("user_id", "kim"))
        trait = None if profile is None else self.store.traits.get(profile, key)
        return trait and trait.value

    def changes(self) -> list[tuple[str, Any]]:
        """Return what was told since this was last asked, as keys and values."""
        told, self.told[:] = list(self.told), []
        return [(change.declared.key, change.value) for news in told for change in news.changes]


@pytest.fixture
def store() -> Iterator[Store]:
    with closing(Store()) as store:
        yield store


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ('aggregation = "count"', 4),
        ('aggregation = "count"\nwindow = "90m"', 2),
        ('aggregation = "count"\nwhere = [{ property = "shop", is = "north" }]', 3),
        ('aggregation = "count"\nwhere = [{ property = "shop", is_not = "north" }]', 1),
        ('aggregation = "count"\nwhere = [{ property = "price", at_least = 20, at_most = 30 }]', 2),
        ('aggregation = "count"\nwindow = "90m"\nwhere = [{ property = "shop", is = "north" }]', 1),
        ('aggregation = "sum"\nproperty = "price"', 65),
        ('aggregation = "sum"\nproperty = "price"\nwindow = "90m"', 55),
        ('aggregation = "sum"\nproperty = "weight"', None),
        ('aggregation = "first"\nproperty = "price"', 10),
        ('aggregation = "last"\nproperty = "shop"', "north"),
        ('aggregation = "unique_list"\nproperty = "shop"', ["north", "south"]),
        ('aggregation = "most_frequent"\nproperty = "shop"', "north"),
    ],
)
def test_a_trait_is_made_of_events(store: Store, declared: str, expected: object) -> None:
    """Only events of the name count, within the window and with such properties."""
    unify = Unify(store, f'[computed_traits.it]\nevent = "Bought"\n{declared}')
    for price, shop in ((10, "north"), (None, "north")):
        unify.track("Bought", price=price, shop=shop)
    unify.clock.pass_by(hours=2)
    unify.track("Bought", price=30, shop="south")
    unify.track("Bought", price=25, shop="north")
    unify.track("Sold", price=1000, shop="east")
    assert unify.value("it") == expected


BIG = '[audiences.big]\nall = [{ trait = "total", at_least = 20 }, { event = "Bought", window = "1d" }]'
TOTAL = '[computed_traits.total]\naggregation = "sum"\nevent = "Bought"\nproperty = "price"\n'


def test_an_audience_follows_a_computed_trait(store: Store) -> None:
    """An audience is entered with the event that completes its conditions; before it is no trait at all."""
    unify = Unify(store, TOTAL + BIG)
    unify.track("Bought", price=10)
    assert unify.changes() == [("total", 10)]
    unify.track("Bought", price=15)
    assert unify.changes() == [("total", 25), ("big", True)]


def test_an_audience_is_left_as_its_window_passes(store: Store) -> None:
    """Who did nothing within the window is out with the next look, and stays known as somebody who was in."""
    unify = Unify(store, TOTAL + BIG)
    unify.track("Bought", price=25)
    unify.clock.pass_by(days=2)
    unify.changes()
    unify.journal.catch_up()
    assert unify.changes() == [("big", False)]
    unify.track("Bought", price=1)
    assert unify.changes() == [("total", 26), ("big", True)]


def test_a_trait_is_gone_when_its_window_is_empty(store: Store) -> None:
    """A windowed trait without events is removed, and comes back with the next."""
    unify = Unify(store, '[computed_traits.it]\nevent = "E"\naggregation = "count"\nwindow = "1h"')
    unify.track("E")
    unify.clock.pass_by(hours=2)
    unify.journal.catch_up()
    assert unify.value("it") is None
    unify.track("E")
    assert unify.changes() == [("it", 1), ("it", None), ("it", 1)]


def test_a_clock_that_is_moved_back_stops_no_change(store: Store) -> None:
    """What is computed at an earlier time replaces what was computed at a later one."""
    unify = Unify(store, '[computed_traits.it]\nevent = "E"\naggregation = "last"\nproperty = "p"')
    unify.track("E", p="early")
    unify.clock.pass_by(days=-3)
    unify.call("track", event="E", properties={"p": "late"}, timestamp="2025-11-21T00:00:00Z")
    assert unify.value("it") == "late"


@pytest.mark.parametrize(
    ("condition", "traits", "inside"),
    [
        ('trait = "plan", is = "pro"', {"plan": "pro"}, True),
        ('trait = "plan", is = "pro"', {"plan": "free"}, None),
        ('trait = "plan", is_not = "pro"', {"plan": "free"}, True),
        ('trait = "plan", is_not = "pro"', {"plan": None}, True),
        ('trait = "vip", is = true', {"vip": 1}, None),
        ('trait = "age", at_most = 17', {"age": 17}, True),
        ('trait = "age", at_least = 18', {"age": "18"}, None),
        ('event = "E", times_at_most = 0', {}, False),
        ('event = "X", times_at_most = 0', {}, True),
        ('event = "E", times_at_least = 2', {}, True),
        ('event = "E", times_at_least = 3', {}, None),
        ('event = "E", times_at_least = 2, times_at_most = 2', {}, True),
        ('event = "E", where = [{ property = "n", at_least = 2 }]', {}, True),
    ],
)
def test_a_condition_holds_or_does_not(store: Store, condition: str, traits: dict[str, Any], inside: object) -> None:
    """An audience has who fulfils its condition on a trait, or on how often something happened."""
    unify = Unify(store, f"[audiences.it]\nall = [{{ {condition} }}]")
    unify.call("identify", traits=traits)
    for number in (1, 2):
        unify.track("E", n=number)
    assert unify.value("it") is inside


def test_any_is_one_of_several(store: Store) -> None:
    """With `any` one condition suffices, on top of all those in `all`."""
    unify = Unify(
        store, '[audiences.it]\nall = [{ trait = "a", is = 1 }]\nany = [{ trait = "b", is = 1 }, { event = "E" }]'
    )
    unify.call("identify", traits={"a": 1})
    assert unify.value("it") is None
    unify.track("E")
    assert unify.value("it") is True
    unify.call("identify", traits={"a": 2})
    assert unify.value("it") is False


def test_what_nothing_touches_is_not_computed(store: Store) -> None:
    """A call computes only what is declared on its event or traits; reads of others' events would show."""
    unify = Unify(store, '[computed_traits.it]\nevent = "E"\naggregation = "count"\nwindow = "1h"')
    unify.track("E")
    unify.clock.pass_by(hours=2)
    unify.track("Other")
    unify.call("identify", traits={"a": 1})
    unify.call("page")
    assert unify.value("it") == 1


def test_a_merge_computes_everything(store: Store) -> None:
    """Events that come with an anonymous id count for the user from the moment of the login."""
    unify = Unify(store, TOTAL + BIG)
    unify.track("Bought", price=15)
    unify.call("track", userId=None, anonymousId="a1", event="Bought", properties={"price": 10})
    unify.changes()
    unify.call("page", anonymousId="a1")
    (news,) = unify.told
    assert news.arrivals == {ExternalId("anonymous_id", "a1")}
    assert unify.changes() == [("total", 25), ("big", True)]
    assert [(change.declared.key, change.value) for change in unify.computations.standing("users", news.profile)] == [
        ("total", 25),
        ("big", True),
    ]


def test_what_is_declared_wins_over_what_is_identified(store: Store) -> None:
    """Nobody becomes a member by saying so, before or after it is computed; other traits are as they are told."""
    unify = Unify(store, TOTAL + BIG)
    unify.call("identify", traits={"big": True, "total": 300, "plan": "pro"})
    assert (unify.value("big"), unify.value("total"), unify.value("plan")) == (None, None, "pro")
    unify.track("Bought", price=25)
    unify.call("identify", traits={"big": False, "total": None})
    assert (unify.value("big"), unify.value("total")) == (True, 25)


OF_ACCOUNTS = (
    '[computed_traits.total]\ncollection = "accounts"\naggregation = "sum"\nevent = "Bought"\nproperty = "price"\n'
    '[audiences.active]\ncollection = "accounts"\n'
    'all = [{ event = "Bought", window = "1d" }, { trait = "plan", is = "pro" }]'
)


def account_value(unify: Unify, key: str) -> Any:
    """Return a trait of the account that the tests are about."""
    account = unify.store.profiles.find("accounts", ExternalId("group_id", "g1"))
    assert account is not None
    trait = unify.store.traits.get(account, key)
    return trait and trait.value


def test_an_accounts_traits_are_made_of_the_events_for_it(store: Store) -> None:
    """Of all its people, where a call's context names it; and of its own traits."""
    unify = Unify(store, OF_ACCOUNTS)
    for name, price in (("kim", 10), ("lee", 5)):
        unify.call("track", userId=name, event="Bought", properties={"price": price}, context={"groupId": "g1"})
    unify.track("Bought", price=100)  # for nobody but kim
    assert account_value(unify, "total") == 15
    assert account_value(unify, "active") is None
    unify.call("group", groupId="g1", traits={"plan": "pro", "total": 1})
    assert (account_value(unify, "total"), account_value(unify, "active")) == (15, True)
    assert unify.changes() == [("total", 10), ("total", 15), ("active", True)]
    assert unify.value("total") is None
    unify.clock.pass_by(days=2)
    unify.journal.catch_up()
    assert account_value(unify, "active") is False


def test_a_key_of_accounts_is_free_for_users(store: Store) -> None:
    """What is computed for one collection may be identified in the other."""
    unify = Unify(store, OF_ACCOUNTS)
    unify.call("identify", traits={"total": 3})
    assert unify.value("total") == 3


@pytest.mark.parametrize("group_id", [None, "", 7, ["g1"]])
def test_a_group_id_that_is_none_names_no_account(store: Store, group_id: object) -> None:
    """The event is its person's alone."""
    unify = Unify(store, TOTAL)
    unify.call("track", event="Bought", properties={"price": 1}, context={"groupId": group_id})
    assert unify.value("total") == 1
    assert store.profiles.all("accounts") == []


def test_a_refused_batch_tells_nothing(store: Store) -> None:
    """Nothing is told of calls that were not applied, and their ids are no news later."""
    unify = Unify(store, TOTAL)
    good = json.dumps({"userId": "lee", "event": "Bought", "properties": {"price": 1}}).encode()
    with pytest.raises(Exception, match="is required"):
        unify.journal.write([("track", good), ("track", b'{"userId": "lee"}')])
    unify.track("Other")
    (news,) = unify.told
    assert news.changes == []
    assert news.arrivals == {ExternalId("user_id", "kim")}


def test_a_change_names_its_computation() -> None:
    """A computation's id has Segment's look, and is the same after every start."""
    first, again = ([Change(one, 1).declared.computation_id for one in read(TOTAL + BIG)] for _ in range(2))
    assert first == again
    assert [one[:4] for one in first] == ["tra_", "aud_"]
