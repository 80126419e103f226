"""The contract suite, pointed at a space by its two variables."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import free_port
from tests.processes import PYTHON, personalize, running, wait_for_urls

CANARY = "canary-of-a-token"


@pytest.fixture(scope="module")
def sandbox_url() -> Iterator[str]:
    """Return the URL of a sandbox that all suites ask: they change nothing there."""
    with personalize("sandbox", "--port", "0") as run:
        yield wait_for_urls(run, 1)[0]


def asked(space: str, profile: str, *options: str) -> tuple[int, str]:
    """Return the status and the output of the suite."""
    command = [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "--no-cov", *options, "tests/contract"]
    environment = {"CONTRACT_SPACE": space, "CONTRACT_PROFILE": profile}
    with running(command, environment, folder=Path(__file__).parents[2]) as run:
        run.process.wait(50)
    return run.process.returncode, run.output


def test_a_space_may_lack_what_a_case_needs(sandbox_url: str) -> None:
    """Then the case is skipped with the reason; all others pass, here of a visitor with one id and one account."""
    status, output = asked(f"{sandbox_url}/sandbox:sandbox-token", "user_id:ada")
    assert status == 0, output
    assert "the profile has no external id with a plus sign" in output
    assert "failed" not in output


@pytest.mark.timeout(150)
@pytest.mark.parametrize("options", [("--tb=long",), ("--tb=long", "--showlocals"), ("--tb=short", "-vv")])
def test_a_failing_case_does_not_show_the_token(options: tuple[str, ...], sandbox_url: str) -> None:
    """Whether the space refuses it or is not there at all."""
    for url, word in ((sandbox_url, "401"), (f"http://127.0.0.1:{free_port()}", "ConnectError")):
        status, output = asked(f"{url}/sandbox:{CANARY}", "user_id:ada", "--maxfail=2", *options)
        assert status == 1
        assert word in output
        assert CANARY not in output
        assert b64encode(f"{CANARY}:".encode()).decode() not in output
