"""Fixtures for recipes' tests: a plugin of pytest, which finds it by its entry point `personalize`."""

from collections.abc import Callable
from typing import Any

import pytest

from personalize.registry import Registry
from personalize.testing.recording import RecordingProfileApi
from personalize.testing.runs import RunOutcome, recipes_beside, run


@pytest.fixture
def recipes(request: pytest.FixtureRequest) -> Registry:
    """Return the recipes that lie beside the test, by name."""
    return recipes_beside(str(request.path))


@pytest.fixture
def run_recipe(recipes: Registry) -> Callable[..., RunOutcome]:
    """Return a function that runs a recipe by its name: `run_recipe("recently-seen", visitor(city="Oslo"))`."""

    def run_named(name: str, *args: Any, **kwargs: Any) -> RunOutcome:  # noqa: ANN401 -- those of `run`
        return run(recipes[name], *args, **kwargs)

    return run_named


@pytest.fixture
def profile_api() -> RecordingProfileApi:
    """Return a Profile API that knows nobody yet, for `service()`: fill its `profiles`."""
    return RecordingProfileApi()
