"""`personalize recipes run`: one recipe about one visitor, against a sandbox or a space."""

import json
from pathlib import Path

import httpx
import pytest

from tests.conftest import free_port
from tests.processes import personalize
from tests.sites import against, upstream_calls

BROKEN = """
from typing import Annotated

from personalize import Trait, recipe


@recipe("broken", access="server")
def broken(city: Annotated[str, Trait("city")] = "") -> int:
    return 1 // 0
"""


def ran(*arguments: str, **named: str) -> tuple[int, str]:
    """Return the status and the output of the command, with these settings."""
    environment = {**{f"PERSONALIZE_{name}": value for name, value in named.items()}, "COLUMNS": "200"}
    with personalize("recipes", "run", *arguments, environment=environment) as run:
        run.process.wait(20)
    return run.process.returncode, run.output


def answer_in(output: str) -> object:
    """Return the JSON that an output begins with, after what the log says."""
    return json.JSONDecoder().raw_decode(output[output.index("[\n") :])[0]


def test_an_answer_is_shown_with_where_it_comes_from(sandbox_url: str) -> None:
    """Data, provenance, and for every parameter its source, its age and its time; no proof is asked for."""
    status, output = ran("last-viewed-not-purchased", "limit=2", "--user-id", "ada", "--sandbox-url", sandbox_url)

    assert status == 0
    data = answer_in(output)
    assert isinstance(data, list)
    assert [product["product_id"] for product in data] == ["desk-lamp", "grid-notebook"]
    assert "personalized: yes, degraded: no, provenance: fresh" in output
    rows = {line.split("│")[1].strip(): line for line in output.splitlines() if line.startswith("│")}
    for word in ('Events("Product Viewed")', "Profile API", "fresh for", " ms "):
        assert word in rows["views"]
    assert "request" in rows["limit"]
    assert "0 items" in rows["products"]
    assert "the recipe itself" in rows[""]
    assert "sandbox-token" not in output


def test_a_configured_space_is_asked_as_the_service_would(sandbox_url: str) -> None:
    """By the settings of the environment, with overrides; JSON is for programs."""
    named = {name.removeprefix("PERSONALIZE_"): value for name, value in against(sandbox_url).items()}
    status, output = ran(
        "recommended-posts", "--user-id", "ada", "--json", **named, OVERRIDES="recommended-posts.limit=1"
    )

    assert status == 0
    told = json.loads(output[output.index("{\n") :])
    assert (told["recipe"], told["personalized"], told["degraded"], told["provenance"]) == (
        "recommended-posts",
        True,
        False,
        "fresh",
    )
    assert len(told["data"]) == 1
    sources = {one["parameter"]: one["source"] for one in told["needs"]}
    assert sources == {"posts": "provider", "category": "profile_api", "limit": "default", "exclude": "default"}


def test_each_section_is_read_once_and_for_all_recipes(client: httpx.Client, sandbox_url: str) -> None:
    """What would be kept of a profile is what the service wants of it."""
    status, _ = ran("recommended-posts", "--user-id", "ada", "--sandbox-url", sandbox_url)
    assert status == 0
    [call] = upstream_calls(client, sandbox_url)
    assert "/traits?" in call


def test_who_is_away_is_told_and_the_defaults_are_shown() -> None:
    """As a page would get them."""
    status, output = ran(
        "last-viewed-not-purchased", "--user-id", "ada", "--sandbox-url", f"http://127.0.0.1:{free_port()}"
    )

    assert status == 0
    assert "profile_read_failed" in output
    assert "personalized: no, degraded: yes, provenance: default" in output


def test_a_recipe_that_fails_is_told_with_its_reason(sandbox_url: str, tmp_path: Path) -> None:
    """With status 1, and where in its file."""
    (tmp_path / "broken.py").write_text(BROKEN)
    status, output = ran("broken", "--user-id", "ada", "--sandbox-url", sandbox_url, RECIPES=str(tmp_path))

    assert status == 1
    assert "Recipe broken raised (ZeroDivisionError: integer division or modulo by zero)." in output
    assert f"{tmp_path}/broken.py:9 broken" in output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["recommended-post", "--user-id", "ada"], "is no recipe. Did you mean `recommended-posts`?"),
        (
            ["recommended-posts", "--user-id", "ada", "limt=3"],
            "is not a parameter of this recipe. Did you mean `limit`?",
        ),
        (["recommended-posts", "--user-id", "ada", "limit=30"], "`limit` is not valid"),
        (["recommended-posts", "--user-id", "ada", "limit"], "`limit` has no value: write limit=…"),
        (["recommended-posts"], "`user_id` or `anonymous_id` is required"),
    ],
)
def test_what_cannot_be_asked_is_told(arguments: list[str], told: str) -> None:
    """Before anybody is asked, with the sentences of the service's own refusals."""
    status, output = ran(*arguments, "--sandbox")

    assert status == 2
    assert told in output
