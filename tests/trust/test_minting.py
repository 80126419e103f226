"""The README's ways to make a token, run as they stand; the running service takes what they make."""

import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import real_part
from tests.documents import examples
from tests.processes import PYTHON, personalize, wait_for_urls, without_settings

SECRET = "a-fake-secret-of-32-bytes-or-more"
LINES = 5
LANGUAGES = {"python": (PYTHON, "-c"), "js": ("node", "-e"), "php": ("php", "-r")}


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """Return the URL of a service that has the key of the README."""
    settings = {"PERSONALIZE_IDENTITY_KEYS": f"web:{SECRET}"}
    with personalize("serve", "--sandbox", "--port", "0", "--sandbox-port", "0", environment=settings) as run:
        yield wait_for_urls(run, 2)[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_five_lines_make_a_token(service: str, language: str) -> None:
    """It proves who the visitor is, and nobody else."""
    [code] = [one.text for one in examples("README.md") if one.language == language and "HS256" in one.text]
    assert len([line for line in code.splitlines() if line]) == LINES
    program, option = LANGUAGES[language]
    made = subprocess.run(
        [real_part(program), option, code],
        env={**without_settings(), "IDENTITY_SECRET": SECRET},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    with httpx.Client(headers=headers, timeout=10, trust_env=False) as client:
        answers = [client.get(f"{service}/api/last-viewed-not-purchased?user_id={who}") for who in ("ada", "nobody")]
    assert [answer.status_code for answer in answers] == [200, 403]
    assert answers[0].json()["personalized"] is True
