"""Running a recipe in its test: as the service would, with what a test knows."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest

from personalize import Event, Events, Items, Now, Param, Post, Posts, Product, Products, Trait, recipe
from personalize.errors import BadParameter, RecipeFailed, RecipeLoadError
from personalize.registry import load
from personalize.testing import NOW, event, post, recipes_beside, run, visitor


@recipe("known")
def known(
    views: Annotated[tuple[Event, ...], Events("Viewed", limit=2)] = (),
    city: Annotated[str | None, Trait("city")] = None,
    limit: Annotated[int, Param(ge=1, le=5)] = 3,
) -> list[str | None]:
    """Return what is known."""
    return [city, *(view.text("name") for view in views)][:limit]


@recipe("there")
def there(
    posts: Annotated[Posts, Items("posts")],
    now: Annotated[datetime, Now()],
    day: Annotated[str, Param()],
    products: Annotated[Products, Items("products")] = Products(),
) -> dict[str, Any]:
    """Return what there is for anybody."""
    return {"posts": posts.newest(), "products": products.newest(), "now": now, "day": day}


@recipe("films")
def films(shown: Annotated[tuple[str, ...], Items("films")]) -> list[str]:
    """Return all films."""
    return [*shown]


@recipe("careless")
def careless(plan: Annotated[str, Trait("plan")] = "none") -> int:
    """Break with some."""
    return 1 // len(plan) if plan != "free" else plan  # type: ignore[return-value]  # what is tested


def test_a_visitor_fills_the_needs() -> None:
    """Events by their names and up to the limit, traits by their keys."""
    who = visitor(
        *(event("Viewed", name=name, days_ago=days) for days, name in enumerate("abc")),
        event("Bought", name="x"),
        city="Oslo",
    )
    outcome = run(known, who)
    assert (outcome.data, outcome.personalized, outcome.mismatched) == (["Oslo", "a", "b"], True, ())
    assert outcome.html is None


def test_nobody_gets_the_defaults() -> None:
    """And so does a visitor of whom nothing is known that the recipe needs."""
    for outcome in (run(known), run(known, visitor(event("Bought"), plan="pro"))):
        assert (outcome.data, outcome.personalized) == ([None], False)


def test_a_trait_of_another_type_is_told() -> None:
    """The recipe got its default."""
    outcome = run(known, visitor(city=["Oslo"]))
    assert (outcome.data, outcome.personalized, outcome.mismatched) == ([None], False, ("city",))


def test_items_and_the_time_are_as_the_test_says() -> None:
    """The answer is as a page gets it: JSON."""
    tea = post("Tea")
    when = datetime(2026, 1, 2, tzinfo=UTC)
    outcome = run(there, posts=[tea], products=[Product(product_id="p1")], params={"day": "Friday"}, now=when)
    assert outcome.data["now"] == "2026-01-02T00:00:00Z"
    assert [one["title"] for one in outcome.data["posts"]] == ["Tea"]
    assert [one["product_id"] for one in outcome.data["products"]] == ["p1"]
    whole = run(there, posts=Posts([tea]), products=Products(), params={"day": "Friday"})
    assert whole.data["posts"] == outcome.data["posts"]
    assert whole.data["now"] == NOW.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("limit", [1, "1"])
def test_parameters_are_converted_as_those_of_a_request(limit: object) -> None:
    """From a query string or from JSON."""
    assert run(known, visitor(event("Viewed", name="a"), city="Oslo"), params={"limit": limit}).data == ["Oslo"]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"limit": 6}, "`limit` is not valid: expected `int` <= 5."),
        ({"limt": 6}, "`limt` is not a parameter of this recipe. Did you mean `limit`?"),
    ],
)
def test_a_wrong_parameter_is_refused_as_a_pages_is(params: dict[str, object], told: str) -> None:
    """With the sentence of the 400."""
    with pytest.raises(BadParameter) as refused:
        run(known, params=params)
    assert str(refused.value) == told


def test_a_parameter_that_is_required_must_be_said() -> None:
    """As by a page."""
    with pytest.raises(BadParameter, match="`day` is required"):
        run(there)


def test_another_providers_items_are_said_by_its_name() -> None:
    """Who forgets them is told."""
    assert run(films, items={"films": ("M", "Metropolis")}).data == ["M", "Metropolis"]
    with pytest.raises(LookupError, match="films reads the provider 'films': say items="):
        run(films)


@pytest.mark.parametrize(
    ("plan", "reason", "note"),
    [("", "raised", "integer division or modulo by zero"), ("free", "returned", "Expected `int`, got `str`")],
)
def test_a_recipe_that_fails_fails_its_test(plan: str, reason: str, note: str) -> None:
    """Though a page would get the defaults; the test's report says where and why."""
    with pytest.raises(RecipeFailed) as failed:
        run(careless, visitor(plan=plan))
    assert failed.value.reason == reason
    [told] = failed.value.__notes__
    assert told.startswith(f"careless ({careless.where}) {reason}: {note}")


def test_a_template_makes_markup_of_the_answer() -> None:
    """As a server-side include would get it."""
    html = run(load(["shipped"])["recommended-posts"], posts=[post("Tea & Milk")]).html
    assert html is not None
    assert "Tea &amp; Milk" in html


def test_recipes_are_those_beside_the_test(tmp_path: Path) -> None:
    """A wrong one says where it is wrong."""
    (tmp_path / "mine.py").write_text("from personalize import recipe\n\n@recipe('mine')\ndef m() -> int: return 1\n")
    assert list(recipes_beside(str(tmp_path / "test_mine.py"))) == ["mine"]
    (tmp_path / "mine.py").write_text("x = unknown\n")
    with pytest.raises(RecipeLoadError, match=r"mine\.py:1: NameError"):
        recipes_beside(str(tmp_path / "test_mine.py"))


def test_a_post_is_one_of_the_models() -> None:
    """A recipe's plain call takes it too."""
    assert isinstance(post("Tea"), Post)
