"""`personalize profile`: a support engineer's look at a profile."""

import json

import pytest

from tests.processes import personalize
from tests.sites import against


def looked(*arguments: str, at: str) -> tuple[int, str]:
    """Return the status and the output of the command, against the space or sandbox at a URL."""
    environment = {**against(at), "COLUMNS": "200"}
    with personalize("profile", *arguments, environment=environment) as run:
        run.process.wait(20)
    return run.process.returncode, run.output


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
    assert set(known) == {"metadata", "segment_id", "external_ids", "traits"}
    assert known["traits"]["first_name"]["value"] == "Ada"


@pytest.mark.parametrize(
    ("external_id", "status", "sentence"),
    [
        ("user_id:nobody", 1, "The Profile API answered 404."),
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
