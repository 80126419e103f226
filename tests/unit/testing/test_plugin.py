"""The plugin of pytest: what a recipe's author gets without importing it."""

import os
import subprocess
from pathlib import Path

from tests.distributions import distribution
from tests.documents import ROOT
from tests.processes import PYTHON, without_settings

RECIPE = """
from typing import Annotated

from personalize import Trait, recipe


@recipe("greeting", access="public")
def greeting(first_name: Annotated[str, Trait("first_name")] = "you") -> str:
    return f"Hello, {first_name}!"
"""
TESTS = """
import asyncio

from personalize.testing import service, visitor


def test_recipes(recipes):
    assert list(recipes) == ["greeting"]


def test_run_recipe(run_recipe):
    assert run_recipe("greeting", visitor(first_name="Ada")).data == "Hello, Ada!"
    assert run_recipe("greeting").data == "Hello, you!"


def test_profile_api(profile_api, recipes):
    async def answered():
        profile_api.profiles["user_id:ada"] = visitor(first_name="Ada")
        async with service(profile_api, recipes) as client:
            return (await client.get("/api/greeting?user_id=ada")).json()["data"]

    assert asyncio.run(answered()) == "Hello, Ada!"
    assert profile_api.calls == ["traits user_id:ada"]
"""


def test_the_plugins_fixtures_are_there_for_every_test(tmp_path: Path) -> None:
    """Found by the entry point of the distribution, as pytest finds plugins."""
    distribution(tmp_path, "personalize-in-a-test", "pytest11", {"personalize": "personalize.testing.plugin"})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "greeting.py").write_text(RECIPE)
    (tmp_path / "mine" / "test_greeting.py").write_text(TESTS)
    done = subprocess.run(
        [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "mine"],
        cwd=tmp_path,
        env={**without_settings(), "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
