"""Every command, recipe and JSON of the documents does what the document says."""

import ast
import inspect
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from personalize.settings import PREFIX, SECRETS, Settings
from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics
from personalize.testing import RecordingProfileApi, service
from tests.distributions import distribution
from tests.documents import DOCUMENTS, Example, curl, examples, fits, table
from tests.processes import personalize, wait_for_urls, wait_until, wait_until_ready
from tests.sites import Site

PYTHON_EXAMPLES = [one for document in DOCUMENTS for one in examples(document) if one.language == "python"]
RECIPES = [one for one in PYTHON_EXAMPLES if "@recipe(" in one.text]
SHELL_EXAMPLES = [one for document in DOCUMENTS for one in examples(document) if one.language == "sh"]
PROVIDER_SETTING = "PROVIDER_<NAME>_<KEY>"
TRIED_IN_PART = {"docker": "test_deploy, without a daemon", "kubectl": "test_deploy, without a cluster"}
ELSEWHERE = {
    "make run": "test_commands",
    "make test": "this run",
    ".venv/bin/python -m pytest mine": "test_newcomer",
    ".venv/bin/pip install --editable .[sync]": "what this run has already",
}


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a service that has the documents' recipes beside the shipped ones."""
    folder = tmp_path_factory.mktemp("mine")
    for number, example in enumerate(RECIPES):
        (folder / f"example{number}.py").write_text(example.text)
    settings = {"PERSONALIZE_RECIPES": f"shipped,{folder}"}
    with personalize("serve", "--sandbox", "--port", "0", "--sandbox-port", "0", environment=settings) as run:
        service, sandbox = wait_for_urls(run, 2)
        wait_until_ready(service)
        yield Site(service, sandbox, run)


def at(site: Site, command: str) -> str:
    """Return a command with the documents' addresses replaced by those of the test, and `$(…)` by what it prints."""
    command = command.replace("http://127.0.0.1:8000", site.service).replace("http://127.0.0.1:8100", site.sandbox)
    return re.sub(r"\$\(\S*/personalize (.*?)\)", lambda inner: printed(*shlex.split(inner[1])), command)


def printed(*arguments: str) -> str:
    """Return what a command of `personalize` prints."""
    with personalize(*arguments) as run:
        assert run.process.wait(20) == 0
    return run.output.strip()


def test_the_curls_of_the_readme_answer_what_it_shows(client: httpx.Client, taught: Site) -> None:
    """Run in order, each answers, and the JSON under one is its answer."""
    answer = None
    shown = 0
    for example in examples("README.md"):
        if example.language == "sh":
            for command in example.commands:
                if command.startswith("curl"):
                    answer = curl(client, at(taught, command))
                    unproved = command.endswith("/last-viewed-not-purchased?user_id=ada'") and "-H" not in command
                    assert answer.status_code == (403 if unproved else 200), command
        elif example.language == "json":
            assert answer is not None
            assert fits(json.loads(example.text), answer.json()), answer.text
            shown += 1
    assert shown == 3


def test_what_a_new_visitor_reads_is_recommended_as_the_readme_says(client: httpx.Client, taught: Site) -> None:
    """The README's Track call and the question after it: posts of the category that was read."""
    [block] = [one for one in examples("README.md") if "v1/track" in one.text]
    tracked, asked = block.commands
    category = json.loads(shlex.split(tracked)[-1])["properties"]["category"]
    assert curl(client, at(taught, tracked)).json() == {"success": True}

    def posts() -> list[dict[str, list[str]]]:
        answer = curl(client, at(taught, asked)).json()
        return answer["data"] if answer["personalized"] else []

    wait_until(posts, "a personal answer")
    assert all(category in post["categories"] for post in posts())


def test_the_provider_of_the_document_is_found_and_read(client: httpx.Client, tmp_path: Path) -> None:
    """As a distribution with the entry point that the document shows, its items reach a recipe of that type."""
    code, entry = (
        next(one.text for one in examples("recipes/README.md") if one.language == language and sign in one.text)
        for language, sign in (("python", "class Films"), ("toml", "films"))
    )
    [(group, points)] = tomllib.loads(entry)["project"]["entry-points"].items()
    distribution(tmp_path, "our-films", group, points)
    (tmp_path / "our_films.py").write_text(code)
    (tmp_path / "films.txt").write_text("Metropolis\nM\n")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "tonight.py").write_text(
        "from typing import Annotated\n\nfrom personalize import Items, recipe\n\n\n"
        '@recipe("tonight", access="public")\n'
        'def tonight(films: Annotated[tuple[str, ...], Items("films")]) -> list[str]:\n    return list(films)\n'
    )
    settings = {
        "PYTHONPATH": str(tmp_path),
        "PERSONALIZE_RECIPES": str(tmp_path / "mine"),
        "PERSONALIZE_PROVIDER_FILMS_PATH": str(tmp_path / "films.txt"),
    }
    with personalize("serve", "--sandbox", "--port", "0", "--sandbox-port", "0", environment=settings) as run:
        service, _ = wait_for_urls(run, 2)
        answer = client.get(f"{service}/api/tonight?user_id=ada")
    assert answer.json()["data"] == ["Metropolis", "M"]


def test_the_settings_of_the_readme_are_accepted(tmp_path: Path) -> None:
    """The exports for a real space make a configuration that `check-config` accepts."""
    lines = [line for one in examples("README.md") if one.language == "sh" for line in one.commands]
    exported = dict(line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export"))
    assert len(exported) == 5

    with personalize("check-config", environment=exported, anew=True) as run:
        run.process.wait(20)

    assert run.process.returncode == 0, run.output


@pytest.mark.parametrize("example", SHELL_EXAMPLES, ids=lambda one: f"{one.document}:{one.commands[0][:40]}")
def test_no_command_of_a_document_is_forgotten(example: Example) -> None:
    """Each is a curl, an export, a way to start that some test takes, or a command of `personalize` that exists."""
    for command in example.commands:
        words = [word for word in shlex.split(command) if not re.fullmatch(r"PERSONALIZE_\w+=.*", word)]
        if words[0].endswith("personalize"):
            with personalize(*words[1:], "--help") as run:
                run.process.wait(20)
            assert run.process.returncode == 0, run.output
        else:
            assert words[0] in {"curl", "export", *TRIED_IN_PART} or " ".join(words) in ELSEWHERE, command


def test_the_settings_table_is_the_settings() -> None:
    """Names, secrets, defaults and purposes of deploy/README.md are those of the code, in order."""
    shown = [[name, default, purpose] for name, default, purpose in table("deploy/README.md", "Settings")]
    defaults = dict.fromkeys(Settings.model_fields, "")
    defaults |= {"space_id": "required", "access_token": "required", "region": "`us`", "recipes": "`shipped`"}
    defaults |= {"identity_audience": "`personalize`"}
    defaults |= {"deadline": "`800ms`", "cache_ttl": "`300s`", "negative_ttl": "`30s`", "browser_ttl": "`60s`"}
    defaults |= {"revalidate_ttl": "`600s`", "stale_ttl": "`24h`", "rate_limit": "`80`", "client_rate_limit": "`50`"}
    defaults |= {"log_format": "`json`", "pii_ids": "`false`", "private_feeds": "`false`", "console": "`keys`"}
    defaults |= {"lowercase_external_ids": "`false`", "access_log": "`problems`", "drain_delay": "`5s`"}
    defaults |= {"traces_share": "`0.01`", "exposures": "`false`"}
    expected = []
    for name, field in Settings.model_fields.items():
        secret = " (secret)" if name.upper() in SECRETS else ""
        shown_as = PROVIDER_SETTING if name == "provider" else name.upper()
        expected.append([f"`{shown_as}`{secret}", defaults[name], field.description])

    assert shown == expected
    effective = Settings(space_id="s", access_token="t").effective()  # type: ignore[arg-type]  # validated from text
    values = {name.removeprefix(PREFIX).lower(): value for name, value, _ in effective}
    assert (values["deadline"], values["cache_ttl"], values["negative_ttl"]) == ("0.8s", "300s", "30s")


def test_the_metrics_table_is_the_metrics() -> None:
    """Names, labels and meanings of deploy/README.md are those of the code."""
    rows = [(name.strip("`"), labels, says) for name, labels, says in table("deploy/README.md", "Metrics")]
    metrics = [one for one in vars(Metrics(CollectorRegistry())).values() if isinstance(one, MetricWrapperBase)]
    families = [(next(iter(one.describe())), ", ".join(one._labelnames)) for one in metrics]
    told = {family.name: (labels, family.documentation) for family, labels in families}
    assert {name.removesuffix("_total"): (labels, says) for name, labels, says in rows} == told


async def test_the_metrics_table_is_what_is_scraped() -> None:
    """Of a service that has answered: every metric is there, and no sample has a label that the table lacks."""
    rows = {name.strip("`"): {*labels.split(", ")} for name, labels, _ in table("deploy/README.md", "Metrics")}
    async with service(RecordingProfileApi({})) as client:
        await client.get("/api/recommended-posts?user_id=nobody")
        scraped = (await client.get("/metrics")).text
    families = [one for one in text_string_to_metric_families(scraped) if not one.name.endswith("_created")]
    for family in families:
        name = family.name + ("_total" if family.type == "counter" else "")
        assert {label for one in family.samples for label in one.labels} - {"le"} <= rows.pop(name), name
    assert rows == {}


def test_the_log_table_is_the_log() -> None:
    """Every event is there with its level, in the words of its function."""
    source = inspect.getsource(logs)
    told = {
        node.name: (_level(node), " ".join((ast.get_docstring(node) or "").split()))
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        if node.name not in {"configure", "tell_anew", "summarise"}
    }
    shown = {event.strip("`"): (level, says) for event, level, says in table("deploy/README.md", "Log")}
    assert shown.pop("event_repeated")[0] == "warning"
    assert shown == told


def _level(function: ast.FunctionDef) -> str:
    """Return the level at which an event is told."""
    calls = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    [level] = [one.attr for one in calls if isinstance(one, ast.Attribute) and ast.unparse(one.value) == "_log"]
    return level


def test_the_rows_of_the_readme_become_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands, one after the other in a folder that has its rows: the last one shows what would be sent."""
    monkeypatch.chdir(tmp_path)
    [rows] = [one.text for one in examples("README.md") if one.language == "csv"]
    [block] = [one for one in examples("README.md") if "sync init" in one.text]
    (tmp_path / "people.csv").write_text(rows)
    for command in block.commands[1:]:
        with personalize(*shlex.split(command)[1:], anew=True) as run:
            assert run.process.wait(20) == 0, run.output
    assert '"userId":"ada"' in run.output
    assert '"plan":"pro"' in run.output


def test_the_mappings_of_the_readme_are_some(tmp_path: Path) -> None:
    """`sync check` accepts them."""
    [mappings] = [one.text for one in examples("README.md") if one.language == "toml" and "[[mappings]]" in one.text]
    (tmp_path / "mappings.toml").write_text(mappings)
    with personalize("sync", "check", str(tmp_path / "mappings.toml"), anew=True) as run:
        assert run.process.wait(20) == 0, run.output
