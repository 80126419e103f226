"""`personalize profile`: a support engineer's look at a profile."""

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.processes import personalize
from tests.sites import against, track

METADATA: dict[str, Any] = {"metadata": {"created_at": "2017-10-23T00:22:42.78Z"}, "segment_id": "use_1"}
NOTHING: dict[str, Any] = {"data": []}


def looked(*arguments: str, at: str) -> tuple[int, str]:
    """Return the status and the output of the command, against the space or sandbox at a URL."""
    environment = {**against(at), "COLUMNS": "200"}
    with personalize("profile", *arguments, environment=environment) as run:
        run.process.wait(20)
    return run.process.returncode, run.output


@contextmanager
def profile_api(**answers: Mapping[str, Any]) -> Iterator[str]:
    """Yield the URL of a Profile API that gives one answer for each route."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers[self.path.partition("?")[0].rpartition("/")[2]]).encode()
            self.send_response(200)
            self.send_header("Request-Id", "1111-2222")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the test's output to itself."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_ids_and_traits_are_shown(sandbox_url: str) -> None:
    """With what they are worth and when they changed; nothing that was not asked for."""
    status, output = looked("user_id:ada", at=sandbox_url)

    assert status == 0
    for word in (
        "Profile",
        "use_",
        "External ids",
        "user_id",
        "Traits",
        "favorite_blog_category",
        '"Data & Analytics"',
    ):
        assert word in output
    assert "Product Viewed" not in output
    assert "sandbox-token" not in output


def test_events_and_links_are_shown_when_asked_for(sandbox_url: str) -> None:
    """The newest events, and the account that Ada belongs to."""
    status, output = looked("user_id:ada", "--events", "--links", at=sandbox_url)

    assert status == 0
    assert "Product Viewed" in output
    assert "group_id:acme" in output


def test_an_account_is_shown(sandbox_url: str) -> None:
    """By its group id, with its users."""
    status, output = looked("group_id:acme", "--collection", "accounts", "--links", at=sandbox_url)

    assert status == 0
    assert "user_id:ada" in output


def test_json_is_for_other_programs(sandbox_url: str) -> None:
    """One value, without what was not asked for."""
    status, output = looked("user_id:ada", "--json", at=sandbox_url)
    known = json.loads(output)

    assert status == 0
    assert set(known) == {"metadata", "segment_id", "external_ids", "traits", "truncated"}
    assert known["truncated"] is False
    assert known["traits"]["first_name"]["value"] == "Ada"


@pytest.mark.parametrize(
    ("external_id", "status", "sentence"),
    [
        ("user_id:nobody", 1, "The space has no such profile among its users. (Request-Id "),
        ("segment_id:use_none", 1, "The space has no such profile among its users."),
        ("segment_id:", 2, "has no value"),
        (os.fsdecode(b"user_id:\xff"), 2, "contains half of a character"),
        ("email:ada@example.com", 2, "personal data is no id to look up by here"),
        ("ada", 2, "is not of the form `type:value`"),
    ],
)
def test_what_is_not_there_or_not_asked_is_told(external_id: str, status: int, sentence: str, sandbox_url: str) -> None:
    """In a sentence, and by the status."""
    ended, output = looked(external_id, at=sandbox_url)

    assert ended == status
    assert sentence in " ".join(output.replace("│", " ").split())
    assert "Traceback" not in output


def test_without_segment_the_look_says_so() -> None:
    """Nothing listens there."""
    status, output = looked("user_id:ada", at="http://127.0.0.1:9")

    assert status == 3
    assert output == "The Profile API could not be read (ConnectError).\n"


def test_a_segment_id_names_a_profile_too(sandbox_url: str) -> None:
    """What the look itself shows can be looked up, in a space of lower-case ids as well."""
    _, output = looked("user_id:ada", "--json", at=sandbox_url)
    segment_id = json.loads(output)["segment_id"]
    environment = {**against(sandbox_url, LOWERCASE_EXTERNAL_IDS="true"), "COLUMNS": "200"}
    with personalize("profile", f"segment_id:{segment_id}", "--json", environment=environment) as run:
        run.process.wait(20)

    assert run.process.returncode == 0
    assert json.loads(run.output)["traits"]["first_name"]["value"] == "Ada"


def test_a_sandbox_on_another_port_is_looked_at(sandbox_url: str) -> None:
    """By its URL, and without any setting."""
    with personalize("profile", "user_id:ada", "--sandbox-url", sandbox_url, "--json") as run:
        run.process.wait(20)

    assert run.process.returncode == 0
    assert json.loads(run.output)["traits"]["first_name"]["value"] == "Ada"


def test_the_sandbox_is_looked_for_on_its_own_port() -> None:
    """A sandbox of `make run` is found without a word; the space of the settings is not asked."""
    with (
        profile_api() as space,
        personalize("profile", "user_id:nobody", "--sandbox", environment=against(space)) as run,
    ):
        run.process.wait(20)

    # Whether somebody runs a sandbox on this machine or not.
    assert run.output.startswith(
        ("The Profile API could not be read (ConnectError)", "The space has no such profile among its users.")
    )


def test_traits_of_another_shape_are_told_in_a_sentence() -> None:
    """As whatever else is not as documented, with the id of the answer."""
    with profile_api(metadata=METADATA, external_ids=NOTHING, traits={"traits": {"plan": "pro"}}) as space:
        status, output = looked("user_id:ada", at=space)

    assert status == 3
    assert output == "The Profile API's answer cannot be read. (Request-Id 1111-2222)\n"


def test_a_list_that_was_cut_says_so() -> None:
    """More events than one page, and more ids than anybody reads: in words under the table, and in JSON."""
    told = {"value": 1}
    more = {"has_more": True, "next": "more"}
    routes: dict[str, Any] = {
        "metadata": METADATA,
        "external_ids": {"data": [{"type": "user_id", "id": "ada"}], "cursor": more},
        "traits": {"traits": {"plan": told}},
        "events": {"data": [], "cursor": more},
    }
    with profile_api(**routes) as space:
        status, output = looked("user_id:ada", "--events", at=space)
        _, without_events = looked("user_id:ada", at=space)
        _, in_json = looked("user_id:ada", "--json", at=space)

    assert status == 0
    assert output.count("more were not read") == 2
    assert without_events.count("more were not read") == 1
    assert json.loads(in_json)["truncated"] is True


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_control_characters_do_not_reach_the_terminal(
    form: tuple[str, ...], client: httpx.Client, sandbox_url: str
) -> None:
    """Whoever may track could otherwise clear the screen of whoever looks, or turn its text round."""
    hostile = "\x1b[2J\x9b\x07\u202egnp"
    track(client, sandbox_url, userId="mallory", event=f"Seen {hostile}", properties={hostile: hostile})
    status, output = looked("user_id:mallory", "--events", *form, at=sandbox_url)

    assert status == 0
    assert "\\u001b[2J\\u009b\\u0007\\u202egnp" in output
    assert not set(output) & {"\x1b", "\x9b", "\x07", "\u202e"}
