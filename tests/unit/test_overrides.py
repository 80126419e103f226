"""Overrides: what a deployment may say otherwise than a recipe, and how it is told what it may not."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import pytest

from personalize import Param, Trait, recipe
from personalize.app.application import create_app
from personalize.errors import SettingsError
from personalize.model import Snapshot
from personalize.overrides import overridden
from personalize.registry import AnyRecipe, Registry
from tests.doubles import settings_of


@recipe("recent-posts", access="public", ttl=timedelta(minutes=5))
def recent_posts(
    city: Annotated[str | None, Trait("city")] = None,
    limit: Annotated[int, Param(ge=1, le=20)] = 5,
    title: Annotated[str | None, Param(max_length=10)] = None,
) -> list[str]:
    """Return what it was given."""
    return [str(city), str(limit), str(title)]


@recipe("required")
def required(limit: Annotated[int, Param()], ttl: Annotated[int, Param()] = 1) -> int:
    """Return what it was given."""
    return limit + ttl


RECIPES = Registry([recent_posts, required])


def changed(*overrides: str, name: str = "recent-posts") -> AnyRecipe:
    return overridden(RECIPES, overrides)[name]


def problems(*overrides: str) -> list[str]:
    with pytest.raises(SettingsError) as told:
        overridden(RECIPES, overrides)
    return [problem.removeprefix("PERSONALIZE_OVERRIDES: ") for problem in told.value.problems]


def test_nothing_said_is_nothing_changed() -> None:
    """The recipes themselves."""
    assert dict(overridden(RECIPES, ())) == dict(RECIPES)


def test_access_and_time_to_live_are_as_the_deployment_says() -> None:
    """The plan learns of the age; the declared recipe stays as it is, and so does every other."""
    recipes = overridden(RECIPES, ["recent-posts.access=server", "recent-posts.ttl=90s"])
    one = recipes["recent-posts"]
    assert (one.access, one.ttl, one.wanted.ttl) == ("server", 90.0, 90.0)
    assert (recent_posts.access, recent_posts.ttl) == ("public", 300.0)
    assert recipes["required"] is required


@pytest.mark.parametrize(
    ("override", "answer"),
    [
        ("recent-posts.limit=3", ["None", "3", "None"]),
        ("recent-posts.title=New = best", ["None", "5", "New = best"]),
        ("recent-posts.title=", ["None", "5", ""]),
    ],
)
def test_a_parameters_default_is_as_the_deployment_says(override: str, answer: list[str]) -> None:
    """For a request that does not name it."""
    one = changed(override)
    binding = one.bind(Snapshot(), {}, {}, datetime(2026, 11, 22, tzinfo=UTC))
    assert one.function(**binding.arguments) == answer


def test_a_parameter_may_get_a_default() -> None:
    """A request need not name it any more."""
    assert changed("required.limit=7", name="required").params["limit"].default == 7


def test_a_recipes_own_time_to_live_counts_before_a_parameter_of_that_name() -> None:
    """The key means the same for every recipe."""
    one = changed("required.ttl=1m", name="required")
    assert (one.ttl, one.params["ttl"].default) == (60.0, 1)


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("recent-post.limit=3", "there is no recipe 'recent-post'. Did you mean recent-posts?"),
        ("films.limit=3", "there is no recipe 'films'. There is recent-posts, required."),
        ("recent-posts.limt=3", "recipe 'recent-posts' has no parameter 'limt'. Did you mean limit?"),
        (
            "recent-posts.city=Oslo",
            "recipe 'recent-posts' has no parameter 'city'. There is access, limit, title, ttl.",
        ),
        ("recent-posts.limit=21", "`recent-posts.limit` is not valid: expected `int` <= 20."),
        ("recent-posts.limit=many", "`recent-posts.limit` is not valid: expected `int`, got `str`."),
        ("recent-posts.ttl=60", "`recent-posts.ttl`: write a duration with its unit, like 800ms, 300s, 5m or 24h."),
        ("recent-posts.access=all", "`recent-posts.access`: access is one of public, verified, server, not 'all'."),
        ("best", "'best' is no override: write it like recommended-posts.limit=3, the value without commas."),
        (
            "recent-posts=3",
            "'recent-posts=3' is no override: write it like recommended-posts.limit=3, the value without",
        ),
    ],
)
def test_what_fits_no_recipe_is_told_with_what_would(override: str, problem: str) -> None:
    """One sentence."""
    [told] = problems(override)
    assert told.startswith(problem)


def test_all_that_is_wrong_is_told_at_once() -> None:
    """In the order in which it was said."""
    told = problems("a.limit=3", "recent-posts.limit=3", "recent-posts.limit=4", "recent-posts.ttl=")
    assert [problem.split("`")[1] if "`" in problem else problem.split("'")[1] for problem in told] == [
        "a",
        "recent-posts.limit",
        "recent-posts.ttl",
    ]
    assert told[1] == "`recent-posts.limit` is there twice: keep one."


def test_a_service_does_not_start_with_a_wrong_one() -> None:
    """As with any other setting."""
    with pytest.raises(SettingsError, match="there is no recipe 'films'"):
        create_app(settings_of(OVERRIDES="films.limit=3"))
