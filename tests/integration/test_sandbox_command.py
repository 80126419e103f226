"""`personalize sandbox`: a history to begin with, and profiles that outlive the process."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.processes import personalize, wait_for_urls, wait_until
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


def test_a_second_sandbox_on_the_same_data_is_told(tmp_path: Path) -> None:
    """One sentence, and status 2; the first goes on."""
    data = str(tmp_path / "sandbox.db")
    with personalize("sandbox", "--port", "0", "--data", data) as first:
        [sandbox] = wait_for_urls(first, 1)
        with personalize("sandbox", "--port", "0", "--data", data) as second:
            second.process.wait(20)
        assert httpx.get(f"{sandbox}/sandbox/health", trust_env=False).status_code == 200
    assert second.process.returncode == 2
    assert second.output == "The sandbox cannot start: the file of its data is in use by another sandbox.\n"


def test_data_and_seed_may_be_named_again(client: httpx.Client, tmp_path: Path) -> None:
    """The same command twice leaves what it left once; a reset brings the history back."""
    history = tmp_path / "calls.jsonl"
    history.write_text(call(userId="u1", properties={"category": "Cycling"}) * 3)
    events = "v1/spaces/sandbox/collections/users/profiles/user_id:u1/events"
    for _ in range(2):
        with personalize("sandbox", "--port", "0", "--data", str(tmp_path / "data"), "--seed", str(history)) as run:
            [sandbox] = wait_for_urls(run, 1)
            for _ in range(2):
                assert len(client.get(f"{sandbox}/{events}", auth=("sandbox-token", "")).json()["data"]) == 3
                client.post(f"{sandbox}/sandbox/reset").raise_for_status()


@pytest.mark.parametrize(("terminal", "shown"), [({"FORCE_COLOR": "1"}, True), ({}, False)])
def test_a_terminal_is_shown_how_far_a_history_is(terminal: dict[str, str], tmp_path: Path, *, shown: bool) -> None:
    """With how much of the file is read; a file that output is kept in is spared the bar."""
    history = tmp_path / "calls.jsonl"
    history.write_text(call(userId="u1") * 100)
    environment = {"TERM": "xterm", "COLUMNS": "80", **terminal}
    with personalize("sandbox", "--port", "0", "--seed", str(history), environment=environment) as run:
        wait_for_urls(run, 1)
    assert ("Seeding" in run.output) is shown
    assert (f"{history.stat().st_size / 1000:.1f}" in run.output) is shown
    assert run.output.endswith("(Ctrl-C stops it).\n")


def test_a_fault_holds_up_no_end(client: httpx.Client) -> None:
    """A call that would be answered in minutes is answered as soon as the sandbox is told to stop."""
    path = "/v1/spaces/sandbox/collections/users/profiles/user_id:ada/traits"
    with personalize("sandbox", "--port", "0") as run, ThreadPoolExecutor(1) as others:
        [sandbox] = wait_for_urls(run, 1)
        fault = {"route": "traits", "latency_ms": 60_000, "kind": "drip", "pace_ms": 60_000}
        client.post(f"{sandbox}/sandbox/faults", json=fault).raise_for_status()
        slow = others.submit(httpx.get, f"{sandbox}{path}", auth=("sandbox-token", ""), timeout=60)
        wait_until(lambda: client.get(f"{sandbox}/sandbox/calls").json()["total"] == 1, "the call")
        run.process.terminate()
        assert slow.result().json()["traits"]["first_name"] == "Ada"
        assert run.process.wait(60) == 0
    assert "Traceback" not in run.output


def test_what_is_dropped_is_logged(client: httpx.Client) -> None:
    """One line of the sandbox's own output, without the id."""
    with personalize("sandbox", "--port", "0") as run:
        [sandbox] = wait_for_urls(run, 1)
        track(client, sandbox, userId="canary", event="")
        wait_until(lambda: "call_dropped" in run.output, "the line of the log")
    [line] = [line for line in run.lines if "call_dropped" in line]
    assert "The parameter `event` is required." in line
    assert "canary" not in run.output


def test_a_path_that_is_not_utf_8_is_answered(client: httpx.Client) -> None:
    """Percent-encoded in JSON with an id; raw bytes are refused by the server, before the sandbox sees them."""
    with personalize("sandbox", "--port", "0") as run:
        [sandbox] = wait_for_urls(run, 1)
        path = "/v1/spaces/sandbox/collections/users/profiles/user_id:%ff/traits"
        encoded = client.get(f"{sandbox}{path}", auth=("sandbox-token", ""))
        with socket.create_connection(("127.0.0.1", int(sandbox.rpartition(":")[2])), timeout=10) as raw:
            raw.sendall(b"GET /v1/spaces/\xff/traits HTTP/1.1\r\nHost: x\r\n\r\n")
            refused = raw.recv(1000)
    assert (encoded.status_code, encoded.json()["error"]["message"]) == (400, "The path is not UTF-8.")
    assert encoded.headers["Request-Id"]
    assert refused.startswith(b"HTTP/1.1 400 ")
    assert "Traceback" not in run.output
