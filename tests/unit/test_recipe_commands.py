"""`personalize recipes`: what the commands list, write and refuse."""

import json
import os
import re
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Annotated

import pytest
from typer.testing import CliRunner, Result

from personalize import Events, Items, Now, Param, Posts, Trait, cli, recipe
from personalize.cli import origins as shown
from personalize.declare import signatures
from personalize.engine import Outcome, origins
from personalize.engine.origins import Origin
from personalize.errors import ConfigurationError
from personalize.model import Reading, SectionName
from personalize.needs import Need
from personalize.registry import load
from tests.documents import ROOT
from tests.processes import PYTHON, without_settings


def invoked(*arguments: str, columns: int = 200, **named: str) -> Result:
    """Return what a command says in this process, run with these settings and no others; what it raises passes."""
    others = {name: None for name in os.environ if name.startswith("PERSONALIZE_")}
    settings = {f"PERSONALIZE_{name}": value for name, value in named.items()}
    environment = {**others, **settings, "COLUMNS": str(columns)}
    return CliRunner().invoke(cli.app, ["recipes", *arguments], env=environment, catch_exceptions=False)


def said(result: Result) -> str:
    """Return what a command says of a mistake, without the frame around it."""
    return " ".join(re.sub(r"[│╭╰─╮╯]", " ", result.stderr).split())


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([], ["list", "new", "run", "personalize recipes new recently-seen"]),
        (["list"], ["--json", "PERSONALIZE_RECIPES", "PERSONALIZE_OVERRIDES"]),
        (["new"], ["--folder", "lowercase words"]),
        (
            ["run"],
            ["--user-id", "--anonymous-id", "--group-id", "--external-id", "--sandbox", "--sandbox-url", "--json"],
        ),
    ],
)
def test_help_names_what_there_is(command: list[str], words: list[str]) -> None:
    """Every command and option is found without documentation."""
    shown = invoked(*command, "--help").stdout
    assert [word for word in words if word not in shown] == []


class TestList:
    def test_recipes_are_listed_with_what_they_need(self) -> None:
        """No space is needed for that; whoever is in the checkout sees short paths."""
        shown = invoked("list").stdout
        for word in ("recommended-posts", "public", 'Trait("favorite_blog_category")', 'Items("posts")', "limit=5"):
            assert word in shown
        for word in ("last-viewed-not-purchased", "verified", 'Events("Order Completed")', "60s", "300s"):
            assert word in shown
        assert " recipes/recommended_posts.py:" in shown

    def test_a_narrow_terminal_breaks_nothing(self) -> None:
        """As most are when they open."""
        narrow, wide = (invoked("list", columns=columns).stdout.split() for columns in (80, 200))
        assert narrow == wide

    def test_json_is_for_programs(self, tmp_path: Path) -> None:
        """With whole paths; overrides count, and so does the ceiling of every time to live."""
        (tmp_path / "own.py").write_text(
            "from personalize import recipe\n\n\n"
            "@recipe('own', access='server', collection='accounts')\ndef own() -> int:\n    return 1\n"
        )
        overrides = "recommended-posts.limit=3,recommended-posts.access=server"
        done = invoked("list", "--json", RECIPES=f"shipped,{tmp_path}", OVERRIDES=overrides, CACHE_TTL="2m")
        listed = {one["name"]: one for one in json.loads(done.stdout)}
        assert listed["own"] == {
            "name": "own",
            "access": "server",
            "collection": "accounts",
            "needs": {},
            "parameters": [],
            "ttl": None,
            "from": f"{tmp_path}/own.py:4",
        }
        posts = listed["recommended-posts"]
        assert posts["needs"] == {"posts": 'Items("posts")', "category": 'Trait("favorite_blog_category")'}
        assert (posts["access"], posts["parameters"], posts["ttl"]) == ("server", ["limit=3", 'exclude=""'], 120.0)

    def test_an_accounts_recipe_is_told_as_one(self, tmp_path: Path) -> None:
        """It is asked about by a group's id."""
        (tmp_path / "own.py").write_text(
            "from personalize import recipe\n\n\n"
            "@recipe('own', access='server', collection='accounts')\ndef own() -> int:\n    return 1\n"
        )
        assert "server (accounts)" in invoked("list", RECIPES=str(tmp_path)).stdout


@pytest.mark.parametrize(
    ("need", "written"),
    [
        (Trait("city"), 'Trait("city")'),
        (Events("Product Viewed", "Order Completed"), 'Events("Product Viewed", "Order Completed")'),
        (Events("Product Viewed", limit=20), 'Events("Product Viewed", limit=20)'),
        (Items("posts"), 'Items("posts")'),
        (Now(), "Now()"),
        (Param(ge=1, pattern="a|b"), 'Param(ge=1, pattern="a|b")'),
    ],
)
def test_a_need_is_shown_as_it_is_written(need: Need, written: str) -> None:
    """As one would look for it in the file."""
    assert signatures.need(need) == written


class TestNew:
    def test_what_is_written_works(self, tmp_path: Path) -> None:
        """Each recipe is loaded under its name, and its own test passes, whatever Python calls so itself."""
        names = ["a1", "class", "event", "list", "recently-seen", "recipe"]
        for name in names:
            assert invoked("new", name, "--folder", str(tmp_path)).exit_code == 0
        assert list(load([str(tmp_path)])) == names
        done = subprocess.run(
            [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
            cwd=tmp_path,
            env={**without_settings(), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert f"{2 * len(names)} passed" in done.stdout, done.stdout

    def test_it_says_what_to_do_next(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """With the setting that its folder needs, beside what is set already."""
        monkeypatch.chdir(tmp_path)
        shown = invoked("new", "recently-seen").stdout
        assert shown.startswith("Wrote mine/recently_seen.py and mine/test_recently_seen.py.\n")
        assert " -m pytest mine/test_recently_seen.py\n" in shown
        assert "PERSONALIZE_RECIPES=shipped,./mine " in shown
        assert "/personalize serve --sandbox --reload\n" in shown
        assert "curl 'http://127.0.0.1:8000/api/recently-seen?anonymous_id=" in shown
        assert "/personalize recipes run recently-seen --user-id ada --sandbox\n" in shown
        assert "PERSONALIZE_RECIPES" not in invoked("new", "second", RECIPES="shipped,./mine").stdout
        elsewhere = invoked("new", "third", "--folder", str(tmp_path / "other"), RECIPES="./mine").stdout
        assert f"PERSONALIZE_RECIPES=./mine,{tmp_path}/other " in elsewhere

    def test_a_folder_with_a_space_is_quoted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is shown is typed as it is."""
        monkeypatch.chdir(tmp_path)
        shown = invoked("new", "recently-seen", "--folder", "my own").stdout
        assert " -m pytest 'my own/test_recently_seen.py'\n" in shown
        assert "PERSONALIZE_RECIPES='shipped,./my own' " in shown

    @pytest.mark.parametrize(("project", "written"), [("personalize", True), ("shop", False)])
    def test_a_checkouts_settings_are_kept_from_the_test(self, tmp_path: Path, project: str, *, written: bool) -> None:
        """They need plugins that nobody else has; another project's settings are its author's own."""
        (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "{project}"\n')
        invoked("new", "recently-seen", "--folder", str(tmp_path / "mine"))
        assert (tmp_path / "mine" / "pytest.ini").exists() is written

    def test_a_folders_own_settings_stay(self, tmp_path: Path) -> None:
        """As everything does that is there already."""
        (tmp_path / "pyproject.toml").write_text('[project]\nname = "personalize"\n')
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "pytest.ini").write_text("[pytest]\n")
        invoked("new", "recently-seen", "--folder", str(tmp_path / "mine"))
        assert (tmp_path / "mine" / "pytest.ini").read_text() == "[pytest]\n"

    @pytest.mark.parametrize("there", ["recently_seen.py", "test_recently_seen.py"])
    def test_nothing_is_overwritten(self, tmp_path: Path, there: str) -> None:
        """Neither the recipe nor its test; nor is the other one written then."""
        (tmp_path / there).write_text("mine")
        with pytest.raises(ConfigurationError, match=f"{there} is there already: choose another name"):
            invoked("new", "recently-seen", "--folder", str(tmp_path))
        assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [(there, "mine")]

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("Recently_Seen", "write lowercase words joined by hyphens"),
            ("../mine", "write lowercase words joined by hyphens"),
            ("profiles", "means something else"),
            ("test-one", "means something else"),
            ("conftest", "means something else"),
            ("recommended-posts", "is the name of a recipe that is there already"),
        ],
    )
    def test_a_name_that_could_not_be_served_is_refused(self, tmp_path: Path, name: str, reason: str) -> None:
        """Before anything is written."""
        done = invoked("new", name, "--folder", str(tmp_path / "mine"))
        assert done.exit_code == 2
        assert reason in said(done)
        assert list(tmp_path.iterdir()) == []


@recipe("all-sorts")
def all_sorts(
    posts: Annotated[Posts, Items("posts")],
    films: Annotated[int, Items("films")],
    day: Annotated[str, Param()],
    now: Annotated[datetime, Now()],
    city: Annotated[str | None, Trait("city")] = None,
    limit: Annotated[int, Param()] = 3,
) -> int:
    """Return nothing much."""
    return limit


def told(readings: dict[SectionName, Reading], seconds: float = 0.0) -> Outcome:
    return Outcome(
        recipe=all_sorts.name,
        data=None,
        personalized=bool(readings),
        degraded=False,
        provenance="fresh",
        fresh_for=1.0,
        readings=readings,
        seconds=seconds,
    )


class TestOrigins:
    @pytest.mark.parametrize(
        ("reading", "source", "age"),
        [
            (Reading("profile_api", "gone", 300.0, seconds=0.02), "Profile API", "fresh for 300 s"),
            (Reading("redis", "fresh", 12.0, seconds=0.02), "Redis", "fresh for 12 s"),
            (Reading("memory", "stale", -7.0, seconds=0.02), "memory", "stale for 7 s"),
            (Reading("none", "gone", 0.0, seconds=0.02), "default", ""),
        ],
    )
    def test_every_parameter_comes_from_somewhere(self, reading: Reading, source: str, age: str) -> None:
        """A tier with its age and time, a provider with its items, the request, or its default."""
        outcome = told({"traits": reading}, seconds=0.001)
        read = origins.of(all_sorts, outcome, {"day": "Friday"}, {"posts": Posts(), "films": 1})
        assert [one.parameter for one in read] == ["posts", "films", "day", "now", "city", "limit"]
        assert read[0] == Origin("posts", 'Items("posts")', "provider", items=0)
        assert [one.source for one in read if one.parameter != "city"] == [
            "provider",
            "provider",
            "request",
            "clock",
            "default",
        ]
        columns = [[*column.cells] for column in shown.table(outcome, read).columns]
        assert [str(cell) for cell in columns[2]][4] == source
        assert [str(cell) for cell in columns[3]] == ["0 items", "", "", "", age, "", ""]
        assert [str(cell) for cell in columns[4]] == ["", "", "", "", "20.0 ms", "", "1.0 ms"]

    def test_what_was_never_read_has_no_reading(self) -> None:
        """As for a recipe asked about somebody without an id."""
        outcome = told({})
        read = origins.of(all_sorts, outcome, {}, {"posts": Posts(), "films": 1})
        assert (read[4].source, read[4].ttl) == ("default", None)
