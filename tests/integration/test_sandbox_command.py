"""`personalize sandbox`: a history to begin with, and profiles that outlive the process."""

import json
from pathlib import Path

import httpx

from tests.processes import personalize, wait_for_urls
from tests.sites import track


def call(**members: object) -> str:
    return json.dumps({"type": "track", "event": "Post Viewed", **members}) + "\n"


def category_of(client: httpx.Client, sandbox: str, user_id: str) -> object:
    url = f"{sandbox}/v1/spaces/sandbox/collections/users/profiles/user_id:{user_id}/traits"
    return client.get(url, auth=("sandbox-token", "")).json()["traits"]["favorite_blog_category"]


def test_a_history_is_replayed(client: httpx.Client, tmp_path: Path) -> None:
    """Each line is a call; blank ones are passed over."""
    history = tmp_path / "calls.jsonl"
    history.write_text(
        call(userId="u1", properties={"category": "Cycling"})
        + "\n"
        + call(userId="u2", properties={"category": "Design"})
    )
    with personalize("sandbox", "--port", "0", "--seed", str(history)) as run:
        [sandbox] = wait_for_urls(run, 1)
        assert [category_of(client, sandbox, name) for name in ("u1", "u2")] == ["Cycling", "Design"]


def test_a_wrong_line_is_told_by_its_number(tmp_path: Path) -> None:
    """One sentence, and status 2."""
    history = tmp_path / "calls.jsonl"
    history.write_text(call(userId="u1") * 1500 + call(userId="", anonymousId=""))
    with personalize("sandbox", "--port", "0", "--seed", str(history)) as run:
        run.process.wait(20)
    assert run.process.returncode == 2
    assert "The sandbox cannot start: line 1501: " in run.output
    assert "Traceback" not in run.output


def test_profiles_outlive_the_process(client: httpx.Client, tmp_path: Path) -> None:
    """With `--data`, what was tracked is there after a restart."""
    data = str(tmp_path / "sandbox.db")
    with personalize("sandbox", "--port", "0", "--data", data) as run:
        [sandbox] = wait_for_urls(run, 1)
        track(client, sandbox, userId="u1", event="Post Viewed", properties={"category": "Travel"})
    with personalize("sandbox", "--port", "0", "--data", data) as run:
        [sandbox] = wait_for_urls(run, 1)
        assert category_of(client, sandbox, "u1") == "Travel"


def test_data_that_is_no_database_is_told(tmp_path: Path) -> None:
    """One sentence, and status 2."""
    (tmp_path / "data").write_text("no database " * 100)
    with personalize("sandbox", "--port", "0", "--data", str(tmp_path / "data")) as run:
        run.process.wait(20)
    assert run.process.returncode == 2
    assert "The sandbox cannot start: file is not a database" in run.output
