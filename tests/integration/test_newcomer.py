"""A newcomer's path: what recipes/README.md says, done in order, ends with a new recipe that answers over HTTP."""

import json
import os
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from personalize.cli.drafting import RECIPE, TEST
from personalize.registry import GROUP
from tests.distributions import distribution
from tests.documents import ROOT, curl, examples, fits
from tests.processes import PYTHON, running, wait_for_urls, without_settings

DOCUMENT = "recipes/README.md"
CODE = [one.text for one in examples(DOCUMENT) if one.language == "python"]
PROGRAMS = {".venv/bin/personalize": [PYTHON, "-m", "personalize"], ".venv/bin/python": [PYTHON]}


class Newcomer:
    """Somebody who types a document's commands, one after the other, in a checkout, of which the settings are there."""

    def __init__(self, folder: Path, client: httpx.Client, services: ExitStack) -> None:
        self.answers: list[httpx.Response] = []
        self._folder = folder
        self._client = client
        self._services = services
        # pytest alone, as in an environment that `make run` has set up: none of the plugins of our own tests.
        self._environment = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        self._service = self._sandbox = ""

    def types(self, command: str) -> None:
        """Do what a command says; the service's stays and the others' have to succeed."""
        words = shlex.split(command)
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            self._environment[name] = value
        elif words[0] == "curl":
            self.answers.append(curl(self._client, command.replace("http://127.0.0.1:8000", self._service)))
        elif "serve" in words:
            self._serves([*PROGRAMS[words[0]], *words[1:]])
        else:
            self._runs([*PROGRAMS[words[0]], *words[1:]])

    def _serves(self, command: list[str]) -> None:
        command += ["--port", "0", "--sandbox-port", "0"]
        run = self._services.enter_context(running(command, self._environment, self._folder))
        self._service, self._sandbox = wait_for_urls(run, 2)

    def _runs(self, command: list[str]) -> None:
        at = {"--sandbox": ["--sandbox-url", self._sandbox]}
        done = subprocess.run(
            [word for one in command for word in at.get(one, [one])],
            cwd=self._folder,
            env={**without_settings(), **self._environment},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


@pytest.fixture
def newcomer(tmp_path: Path, client: httpx.Client) -> Iterator[Newcomer]:
    """Return a newcomer whose service ends with the test."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with ExitStack() as services:
        yield Newcomer(tmp_path, client, services)


@pytest.mark.timeout(180)
def test_the_path_ends_with_a_new_recipe_that_answers(newcomer: Newcomer) -> None:
    """Every command of the document works where the one before it has left things, and the answer is as shown."""
    for example in examples(DOCUMENT):
        for command in example.commands if example.language == "sh" else ():
            newcomer.types(command)

    [shown] = [json.loads(one.text) for one in examples(DOCUMENT) if one.language == "json"]
    [answer] = newcomer.answers
    assert answer.status_code == 200
    assert fits(shown, answer.json()), answer.text


def test_the_document_shows_what_is_written() -> None:
    """The recipe and its test, letter by letter."""
    words = {"name": "recently-seen", "function": "recently_seen"}
    assert CODE[:2] == [RECIPE.substitute(words), TEST.substitute(words)]


def test_the_document_names_the_group_of_installed_recipes() -> None:
    """By which `test_wheel` finds them."""
    [entry] = [one.text for one in examples(DOCUMENT) if one.language == "toml" and "shop" in one.text]
    assert list(tomllib.loads(entry)["project"]["entry-points"]) == [GROUP]


def test_the_documents_tests_pass(tmp_path: Path) -> None:
    """That of the first recipe, and those that use the plugin's fixtures."""
    distribution(tmp_path, "personalize-in-a-test", "pytest11", {"personalize": "personalize.testing.plugin"})
    (tmp_path / "recently_seen.py").write_text(CODE[0])
    tests = [code for code in CODE if "\ndef test_" in code]
    for number, code in enumerate(tests):
        (tmp_path / f"test_{number}.py").write_text(code)
    done = subprocess.run(
        [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**without_settings(), "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert len(tests) == 2
    assert "4 passed" in done.stdout, done.stdout
