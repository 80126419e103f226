"""The running service does what it says of itself, and its page shows that in a browser."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import real_part
from tests.documents import ROOT
from tests.processes import PYTHON, personalize, wait_for_urls, without_settings
from tests.sites import API_KEY, Site

RECIPES = "shipped,tests/data/recipes/kinds.py"
EXAMPLES = 5
"""Random requests of each kind and operation, beside those that are derived from each bound."""

CALLERS = {"server": ["-H", f"Authorization: Bearer {API_KEY}"], "anybody": list[str]()}
"""Who asks, by the options that say so."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Return a service that also has recipes with every kind of parameter and answer."""
    settings = {"PERSONALIZE_RECIPES": RECIPES, "PERSONALIZE_ID_TYPES": "loyalty"}
    with personalize("serve", "--sandbox", "--port", "0", "--sandbox-port", "0", environment=settings) as run:
        service, sandbox = wait_for_urls(run, 2)
        yield Site(service, sandbox, run)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("options", CALLERS.values(), ids=CALLERS)
def test_the_service_is_as_it_is_described(site: Site, options: list[str], tmp_path: Path) -> None:
    """Schemathesis asks what is valid and what is not, and holds every answer against the description."""
    command = [
        *(str(Path(PYTHON).with_name("schemathesis")), "run", f"{site.service}/openapi.json", *options),
        *("--max-examples", str(EXAMPLES), "--generation-deterministic"),
        *("--suppress-health-check", "all", "--request-timeout", "10", "--continue-on-failure", "--no-color"),
    ]
    environment = {**without_settings(), "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.schemathesis_hooks"}
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=230, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"Selected: (\d+)/\d+\s+Tested: \1\n", ran.stdout), ran.stdout


def test_a_browser_shows_the_description(site: Site, client: httpx.Client, tmp_path: Path) -> None:
    """With all its recipes, and nothing that its own policy forbids."""
    command = [
        *(real_part("chromium"), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"),
        *("--enable-logging=stderr", "--virtual-time-budget=10000", "--dump-dom", f"{site.service}/docs"),
    ]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
    for path in client.get(f"{site.service}/openapi.json").json()["paths"]:
        assert f'data-path="{path}"' in shown.stdout
    assert not [line for line in shown.stderr.splitlines() if "CONSOLE" in line]
