"""`personalize sync` with real databases and the sandbox: nothing lost, no wrong ids, pages that change."""

import json
import os
import re
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import sqlalchemy
from typer.testing import CliRunner

from personalize import cli
from personalize.destination.state import opened
from tests import postgres
from tests.conftest import free_port
from tests.processes import personalize, wait_for_urls, wait_until
from tests.sites import API_KEY, WRITE_KEY, Site

pytestmark = pytest.mark.timeout(400)  # processes that start one after the other, maybe beside others

ROWS = 100_000
KILLS = 3
MAPPINGS = """
name = "People"

[models.people]
{source}
key = ["id"]

[[mappings]]
name = "People"
model = "people"
action = "identify"
{trigger}
[mappings.fields]
user_id = {{ "@path" = "$.id" }}
timestamp = {{ "@path" = "$.at" }}
traits = {{ "@path" = "$.properties" }}
"""
READINGS = """
name = "What was read elsewhere"

[models.readings]
file = "readings.csv"
key = ["reading"]

[[mappings]]
name = "Readings"
model = "readings"
action = "track"

[mappings.fields]
user_id = { "@path" = "$.user_id" }
event_name = "Post Viewed"
properties = { category = { "@path" = "$.category" } }
"""


@pytest.fixture(scope="module")
def warehouse() -> Iterator[str]:
    """Return the URL of a PostgreSQL with a table of people, whose number is their plan."""
    with postgres.server() as url:
        engine = sqlalchemy.create_engine(url)
        with engine.begin() as connection:
            made = f"SELECT 'row-' || n AS id, n AS number, 'x' AS plan FROM generate_series(1, {ROWS}) n"
            connection.exec_driver_sql(f"CREATE TABLE people AS {made}")
        engine.dispose()
        yield url


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with personalize("sandbox", "--port", "0", "--rate-limit", "0") as run:
        [url] = wait_for_urls(run, 1)
        yield url


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return what writes a file of mappings."""

    def write(source: str, trigger: str = "") -> Path:
        file = tmp_path / "people.toml"
        file.write_text(MAPPINGS.format(source=source, trigger=trigger), encoding="utf-8")
        return file

    return write


def synced(file: Path, *options: str, status: int = 0, **named: str) -> str:
    """Run to the end, and return what was said."""
    return invoked("run", str(file), *options, status=status, **named)


def invoked(*words: str, status: int = 0, **named: str) -> str:
    """Let this process do what the command does, and return what was said."""
    others = {name: None for name in os.environ if name.startswith("PERSONALIZE_")}
    told = {**others, **settings(**named)}
    run = CliRunner().invoke(cli.app, ["sync", *words], env=told, catch_exceptions=False)
    assert run.exit_code == status, run.output
    return " ".join(run.output.split())


def refused(*words: str, **named: str) -> str:
    """Run a process to which something is configured wrongly, and return what was said."""
    with personalize("sync", *words, environment=settings(**named)) as run:
        assert run.process.wait(60) == 2, run.output
    return " ".join(run.output.split())


def settings(**named: str) -> dict[str, str]:
    return {f"PERSONALIZE_{name}": value for name, value in {"WRITE_KEY": WRITE_KEY, **named}.items()}


def traits(client: httpx.Client, sandbox: str, user: str) -> dict[str, object]:
    path = f"/v1/spaces/sandbox/collections/users/profiles/user_id:{user}/traits?limit=200"
    found: dict[str, object] = client.get(sandbox + path, auth=("sandbox-token", "")).json()["traits"]
    return found


@pytest.mark.timeout(600)
def test_a_run_that_is_killed_loses_nothing(
    client: httpx.Client, warehouse: str, write: Callable[..., Path], tmp_path: Path
) -> None:
    """However often: in the end every row's traits are its own person's, and only what was under way was sent twice."""
    file, profiles = write('query = "SELECT * FROM people ORDER BY number"'), tmp_path / "profiles.db"
    with personalize("sandbox", "--port", "0", "--rate-limit", "0", "--data", str(profiles)) as space:
        [url] = wait_for_urls(space, 1)
        named = {"WAREHOUSE_URL": warehouse, "TRACKING_API_URL": url}
        for number in range(KILLS):
            with personalize("sync", "run", str(file), "--rate", "20000", environment=settings(**named)) as run:
                enough = 3 * number + 2
                wait_until(lambda most=enough: batches(client, url) > most, "batches that are sent", 300)  # type: ignore[misc]  # of now
                os.kill(run.process.pid, signal.SIGKILL)
                run.process.wait(60)
        said = synced(file, "--rate", "0", status=0, **named)
        assert re.search(rf"{ROWS:,} rows: \d+,\d+ sent, \d+,\d+ unchanged\.", said), said
        assert traits(client, url, f"row-{ROWS}") == {"id": f"row-{ROWS}", "number": ROWS, "plan": "x"}
        assert f"{ROWS:,} unchanged." in synced(file, status=0, **named)
    assert kept(profiles) == {f"row-{number}": number for number in range(1, ROWS + 1)}


def test_a_query_is_taken_as_it_is_written(
    client: httpx.Client, sandbox: str, warehouse: str, write: Callable[..., Path]
) -> None:
    """A percent sign is no parameter, to PostgreSQL's driver neither."""
    file = write("query = \"SELECT id, 'a%s' AS plan FROM people WHERE id LIKE 'row-1%' AND number % 7 = 1 LIMIT 1\"")
    assert "1 row: 1 sent." in synced(file, WAREHOUSE_URL=warehouse, TRACKING_API_URL=sandbox)
    assert traits(client, sandbox, "row-1")["plan"] == "a%s"


def test_a_line_that_is_no_row_is_written_down(
    client: httpx.Client, sandbox: str, write: Callable[..., Path], tmp_path: Path
) -> None:
    """And the others are sent; a run that only shows calls says why on the spot."""
    (tmp_path / "people.csv").write_text("id,plan\nlinda,pro\nbo,free,extra\nmo,pro\n", encoding="utf-8")
    file, reason = write('file = "people.csv"'), "line 3 has 3 columns, and the first line names 2."
    assert f"1 rejected, 2 to send. People: {reason}" in synced(file, "--dry-run", status=3)
    assert "3 rows: 1 rejected, 2 sent." in synced(file, status=3, TRACKING_API_URL=sandbox)
    [line] = (tmp_path / "people.rejects.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {"mapping": "People", "reason": reason, "row": "bo,free,extra"}
    assert traits(client, sandbox, "linda") == {"id": "linda", "plan": "pro"}


def test_a_second_run_leaves_the_rejects_of_the_first(write: Callable[..., Path], tmp_path: Path) -> None:
    """It is told that another one has the state open, and touches nothing of its."""
    (tmp_path / "people.csv").write_text("id\na\n", encoding="utf-8")
    (tmp_path / "people.rejects.jsonl").write_text("{}\n", encoding="utf-8")
    with opened(tmp_path / "people.state") as state:
        state.remember([])
        assert "Another run has the state file" in synced(write('file = "people.csv"'), status=1)
    assert (tmp_path / "people.rejects.jsonl").read_text(encoding="utf-8") == "{}\n"


def kept(profiles: Path) -> dict[str, int]:
    """Return the number that each person's profile has, by the person's id, as a sandbox that has ended left it."""
    asked = """
        SELECT external_ids.value, traits.value FROM external_ids JOIN traits USING (profile)
        WHERE external_ids.type = 'user_id' AND traits.key = 'number'
    """
    with closing(sqlite3.connect(profiles)) as database:
        return {person: int(number) for person, number in database.execute(asked)}


def batches(client: httpx.Client, sandbox: str) -> int:
    return len(client.get(f"{sandbox}/sandbox/calls").json()["calls"])


def test_what_changes_in_a_row_is_sent_and_nothing_else(
    client: httpx.Client, sandbox: str, write: Callable[..., Path], tmp_path: Path
) -> None:
    """A column that is emptied takes its trait away."""
    table = tmp_path / "people.csv"
    file = write('file = "people.csv"')
    table.write_text("id,plan\n007,pro\nbo,free\n", encoding="utf-8")
    said = synced(file, TRACKING_API_URL=sandbox)
    assert "2 rows: 2 sent." in said
    assert "If profiles do not change: Make sure that the Endpoint Region setting matches the region" in said
    table.write_text("id,plan\n007,\nbo,free\n", encoding="utf-8")
    assert "2 rows: 1 sent, 1 unchanged." in synced(file, TRACKING_API_URL=sandbox)
    assert traits(client, sandbox, "007") == {"id": "007"}
    assert traits(client, sandbox, "bo") == {"id": "bo", "plan": "free"}


def test_rows_that_cannot_be_sent_are_written_down(
    client: httpx.Client, sandbox: str, write: Callable[..., Path], tmp_path: Path
) -> None:
    """With their reasons; the others are sent, and the status says so."""
    rows: list[dict[str, object]] = [
        {"id": "fine", "plan": "pro"},
        {"id": "late", "at": "yesterday"},
        {"id": "large", "plan": "x" * 33_000},
        {"id": "", "plan": "none"},
        {"id": "odd", "properties": "no object"},
    ]
    (tmp_path / "people.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    said = synced(write('file = "people.jsonl"'), status=3, TRACKING_API_URL=sandbox)
    assert "5 rows: 4 rejected, 1 sent." in said
    lines = (tmp_path / "people.rejects.jsonl").read_text(encoding="utf-8").splitlines()
    told = {str(json.loads(line)["row"]["id"]): json.loads(line)["reason"] for line in lines}
    assert told == {
        "late": "`Timestamp` must be a date, such as 2026-01-02T03:04:05Z, but it was `yesterday`.",
        "large": told["large"],
        "": "Either `Anonymous ID` or `User ID` must be defined.",
        "odd": "`Traits` must be an object but it was a string.",
    }
    assert told["large"].endswith("bytes; the Tracking API takes 32,768 at most.")
    assert traits(client, sandbox, "fine") == {"id": "fine", "plan": "pro"}


def test_statuses_that_nobody_knows_are_told(sandbox: str, tmp_path: Path) -> None:
    """One of several goes to Segment as `INVALID`; where all five are such, the row is rejected."""
    channels = ("email", "sms", "whatsapp", "android_push", "ios_push")
    addresses = {"email": "bo@example.com", "phone": "+12025550123", "android_push_token": "a", "ios_push_token": "i"}
    mapped = [*addresses, *(f"{channel}_subscription_status" for channel in channels)]
    known: dict[str, str] = {f"{channel}_subscription_status": "true" for channel in channels}
    unknown = dict.fromkeys(known, "perhaps")
    rows = [
        {"id": "1", **addresses, **known, "sms_subscription_status": "perhaps"},
        {"id": "2", **addresses, **unknown},
    ]
    (tmp_path / "people.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    fields = "\n".join(f'{name} = {{ "@path" = "$.{name}" }}' for name in mapped)
    text = MAPPINGS.format(source='file = "people.jsonl"', trigger="").split("[mappings.fields]")[0]
    file = tmp_path / "people.toml"
    file.write_text(f"{text.replace('identify', 'subscriptions')}\n[mappings.fields]\n{fields}\n", encoding="utf-8")
    assert '"type":"SMS","status":"INVALID"' in synced(file, "--dry-run", "--limit", "1")
    assert "2 rows: 1 rejected, 1 sent." in synced(file, status=3, TRACKING_API_URL=sandbox)
    [line] = (tmp_path / "people.rejects.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["reason"].startswith("Invalid Subscription Status in `Email_Subscription` or")


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"WRITE_KEY": "another"}, "does not accept the write key. Make sure that the Endpoint Region setting matches"),
        ({"TRACKING_API_URL": "{sandbox}/blog"}, "is {sandbox}/blog/v1/batch right?"),
        ({"WAREHOUSE_URL": "postgresql+psycopg://u:fake@127.0.0.1:1/x"}, "The database cannot be read: "),
    ],
)
def test_a_run_that_cannot_go_on_says_why(
    sandbox: str, write: Callable[..., Path], named: dict[str, str], says: str
) -> None:
    """And ends with 1; no secret is told."""
    query = "WAREHOUSE_URL" in named
    file = write('query = "SELECT 1 AS id"' if query else 'file = "people.csv"')
    (file.parent / "people.csv").write_text("id\na\n", encoding="utf-8")
    told = {"TRACKING_API_URL": sandbox, **{name: value.format(sandbox=sandbox) for name, value in named.items()}}
    said = synced(file, status=1, **told)
    assert says.format(sandbox=sandbox) in said
    assert "fake" not in said


def test_a_run_that_is_configured_wrongly_says_how(write: Callable[..., Path]) -> None:
    """And ends with 2: a setting that is not there, or a wrong file of mappings."""
    file = write('file = "people.csv"')
    assert "PERSONALIZE_WRITE_KEY is not set" in refused("run", str(file), WRITE_KEY="")
    file.write_text("name = 1", encoding="utf-8")
    assert "`name` has to be a text" in refused("run", str(file))


def test_a_dry_run_shows_calls_and_sends_none(
    client: httpx.Client, sandbox: str, write: Callable[..., Path], tmp_path: Path
) -> None:
    """As they would be sent; nothing is remembered."""
    (tmp_path / "people.csv").write_text("id,plan\ndry,pro\n", encoding="utf-8")
    file = write('file = "people.csv"', """trigger = 'properties.plan = "pro"'""")
    said = synced(file, "--dry-run", TRACKING_API_URL=sandbox)
    call = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert (call["type"], call["userId"], call["traits"]) == ("identify", "dry", {"id": "dry", "plan": "pro"})
    assert "1 row: 1 to send." in said
    assert {path.name for path in tmp_path.iterdir()} == {"people.csv", "people.toml"}


def test_a_row_changes_the_next_page(client: httpx.Client, site: Site, tmp_path: Path) -> None:
    """The warehouse says what somebody read, the trait computed of it is pushed, and other posts are recommended."""

    def categories() -> set[str]:
        posts = client.get(f"{site.service}/api/recommended-posts?user_id=reader-of-rows").json()["data"]
        return {category for post in posts for category in post["categories"]}

    everything = categories()
    wanted = min(everything)
    (tmp_path / "readings.csv").write_text(f"reading,user_id,category\n1,reader-of-rows,{wanted}\n", encoding="utf-8")
    (tmp_path / "readings.toml").write_text(READINGS, encoding="utf-8")
    assert "1 row: 1 sent." in synced(tmp_path / "readings.toml", TRACKING_API_URL=site.sandbox)
    wait_until(lambda: (found := categories()) != everything and wanted in found, "other recommendations")


def test_what_was_recommended_is_written_back(client: httpx.Client) -> None:
    """As a Track call of the visitor, where that is switched on: marketers see who was recommended what."""
    port = free_port()
    told = settings(EXPOSURES="true", TRACKING_API_URL=f"http://127.0.0.1:{port}")
    with personalize("serve", "--sandbox", "--port", "0", "--sandbox-port", str(port), environment=told) as run:
        service, sandbox = wait_for_urls(run, 2)
        ours = {"Authorization": f"Bearer {API_KEY}"}
        posts = client.get(f"{service}/api/recommended-posts?user_id=ada&limit=2", headers=ours).json()["data"]

        def served() -> list[dict[str, object]]:
            path = "/v1/spaces/sandbox/collections/users/profiles/user_id:ada/events?include=Recommendations Served"
            found = client.get(sandbox + path, auth=("sandbox-token", "")).json()["data"]
            return [event["properties"] for event in found]

        wait_until(served, "the exposure")
        assert served() == [
            {"recipe": "recommended-posts", "items": [post["url"] for post in posts], "outcome": "fresh"}
        ]


def test_a_file_to_begin_with_is_written_checked_and_never_overwritten(tmp_path: Path) -> None:
    """Each command says what to do next."""
    file = tmp_path / "mine.toml"
    assert "personalize sync check" in invoked("init", str(file))
    assert "exists already: it stays as it is." in refused("init", str(file))
    assert "is fine: 1 mapping, for https://api.segment.io/v1." in invoked("check", str(file))
    file.write_text(file.read_text(encoding="utf-8").replace("identify", "identfy"), encoding="utf-8")
    said = refused("check", str(file))
    assert "mine.toml:31: there is no action `identfy`: did you mean `identify`?" in said
