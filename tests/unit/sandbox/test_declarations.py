"""How computed traits and audiences are declared."""

from __future__ import annotations

import pytest

from personalize.sandbox.declarations import InvalidDeclaration, load, read


def trait(rest: str) -> str:
    """Return the declaration of a computed trait."""
    return f"[computed_traits.t]\n{rest}"


def audience(condition: str) -> str:
    """Return the declaration of an audience with one condition."""
    return f"[audiences.a]\nall = [{{ {condition} }}]"


def test_the_documentations_examples_are_declared() -> None:
    """The sandbox comes with the traits that the Profile API documentation shows."""
    declared = {one.key: one.class_ for one in load()}
    assert declared == {
        "favorite_blog_category": "computed_trait",
        "orders_total": "computed_trait",
        "account_orders_total": "computed_trait",
        "3_product_views_in_last_60_days": "audience",
        "all_users_order_completed": "audience",
        "big_spender": "audience",
    }


def test_nothing_may_be_declared() -> None:
    """An empty file declares nothing."""
    assert read("") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=", "computed.toml is not TOML: "),
        ("[traits.t]", "computed.toml: Object contains unknown field `traits`."),
        ("[computed_traits]\nt = 1", "computed.toml: Expected `object`, got `int` - at `$.computed_traits"),
        (trait('aggregation = "count"'), "computed_traits.t: Object missing required field `event`."),
        (trait('event = "E"'), "computed_traits.t: Object missing required field `aggregation`."),
        (trait('event = "E"\naggregation = "median"'), "computed_traits.t: `aggregation` has to be one of count, "),
        (trait('event = "E"\naggregation = "sum"'), "computed_traits.t: `property` is needed by"),
        (trait('event = "E"\naggregation = "count"\nproperty = "p"'), "computed_traits.t: `property` is needed by"),
        (trait('event = "E"\naggregation = "count"\nspan = "1d"'), "unknown field `span`"),
        (trait('event = "E"\naggregation = "count"\nwindow = "1 day"'), "computed_traits.t: `window` has to be a num"),
        (trait('event = "E"\naggregation = "count"\nwindow = "0d"'), "computed_traits.t: `window` has to be longer"),
        (trait('event = "E"\naggregation = "count"\nwindow = 60'), "computed_traits.t: Expected `str | null`"),
        (
            trait('event = "E"\naggregation = "count"\nwhere = [{ property = "p" }]'),
            "computed_traits.t: needs `is`, `is_not`, `at_least` or `at_most` - at `$.where[0]`.",
        ),
        (trait('event = "E"\naggregation = "count"\ncollection = "pets"'), "computed_traits.t: Invalid enum value"),
        ("[audiences.a]", "audiences.a: needs a condition in `all` or `any`."),
        (audience('is = "x"'), "audiences.a.all[0]: needs either `event` or `trait`."),
        (audience('event = "E", trait = "t"'), "audiences.a.all[0]: needs either `event` or `trait`."),
        (audience('event = "E", times_at_least = "2"'), "audiences.a.all[0]: Expected `int`, got `str` - at `$.time"),
        (audience('trait = "t", at_least = "2"'), "audiences.a.all[0]: Expected `int | float`, got `str` - at `$.at"),
        (audience('trait = "t"'), "audiences.a.all[0]: needs `is`, `is_not`"),
        ('[audiences.a]\nany = [{ trait = "t", when = 1 }]', "audiences.a.any[0]: Object contains unknown field `w"),
        (audience('trait = "a", is = true'), "audiences.a: `trait` a has to be declared further up."),
        (audience('trait = "b", is = true') + '\n[audiences.b]\nall = [{ event = "E" }]', "audiences.a: `trait` b has"),
        (trait('event = "E"\naggregation = "count"') + '\n[audiences.t]\nall = [{ event = "E" }]', "audiences.t: th"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_named(text: str, message: str) -> None:
    """What cannot be meant is refused with the entry and the field."""
    with pytest.raises(InvalidDeclaration) as refused:
        read(text)
    assert message in str(refused.value)


def test_an_audience_may_need_one_further_up() -> None:
    """Audiences of audiences are worked out in the order in which they are declared."""
    text = '[audiences.b]\nall = [{ event = "E" }]\n' + audience('trait = "b", is = true')
    assert [one.key for one in read(text)] == ["b", "a"]
