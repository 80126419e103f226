"""The browser's script, as it is served."""

import gzip
import re
import subprocess
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha384
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest

from personalize.testing import RecordingProfileApi, service
from personalize.web import snippet
from personalize.web.assets import STATIC
from tests.conftest import package, real_part
from tests.documents import ROOT
from tests.doubles import ORIGIN

PINNED = f"/v{version('personalize')}/personalize.js"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with service(RecordingProfileApi(), ALLOWED_ORIGINS=ORIGIN) as one:
        yield one


@pytest.mark.parametrize(
    ("path", "kept"), [("/personalize.js", "public, max-age=3600"), (PINNED, "public, max-age=31536000, immutable")]
)
async def test_any_page_may_run_and_keep_the_script(client: httpx.AsyncClient, path: str, kept: str) -> None:
    """Under its short name for an hour, and under its version's for ever."""
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Cache-Control"] == kept
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    again = await client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_another_version_is_not_there(client: httpx.AsyncClient) -> None:
    """Its bytes would be others than a page expects."""
    assert (await client.get("/v0.0.0/personalize.js")).status_code == 404


async def test_the_tag_says_which_bytes_it_expects(client: httpx.AsyncClient) -> None:
    """A page that has it runs those that are served there, and no others."""
    found = re.fullmatch(
        r'<script async src="https://p\.example\.com(\S+)" integrity="sha384-(\S+)" crossorigin="anonymous"></script>',
        snippet.tag("https://p.example.com"),
    )
    assert found is not None
    answer = await client.get(found[1], headers={"Origin": ORIGIN})
    assert found[2] == b64encode(sha384(answer.content).digest()).decode()
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN  # without which the browser may not compare them


def test_the_script_is_small() -> None:
    """Three kilobytes on the wire."""
    assert len(gzip.compress(snippet.SCRIPT)) <= 3 * 1024


def test_the_script_is_made_of_its_source(tmp_path: Path) -> None:
    """By `make snippet`, and not edited since."""
    made = tmp_path / "personalize.js"
    parts = (package("terser/bin/terser"), STATIC / "snippet.js", "--output", made)
    options = ("--config-file", ROOT / "tests/browser/terser.json")
    subprocess.run([real_part("node"), *map(str, (*parts, *options))], check=True, timeout=50)
    assert made.read_bytes() == snippet.SCRIPT


@pytest.mark.parametrize("name", ["personalize.js", "snippet.js"])
def test_the_script_never_writes_markup_or_runs_text(name: str) -> None:
    """Nor does it send cookies."""
    script = (STATIC / name).read_text()
    refused = (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval",
        "Function(",
        'setAttribute("on',
    )
    assert [word for word in refused if word in script] == []
    assert 'credentials:"omit"' in script.replace(" ", "")


def test_the_wordpress_plugin_knows_the_same_attributes_of_another_meaning() -> None:
    """As the script does: what one takes for a parameter is one for the other."""
    plugin = (ROOT / "deploy/wordpress/personalize/includes/content.php").read_text()
    script = (STATIC / "snippet.js").read_text()
    [theirs] = re.findall(r"NOT_PARAMETERS = '/\^\((.*)\)\$/D'", plugin)
    [ours] = re.findall(r"NOT_PARAMETERS = /-\|\^\((.*)\)\$/", script)
    assert theirs == ours
