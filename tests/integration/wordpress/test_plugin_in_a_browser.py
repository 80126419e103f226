"""Pages of a real WordPress in a real browser: what the service recommends comes into them."""

import subprocess
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha384
from pathlib import Path

import httpx
import pytest

from tests.browser.conftest import ARTEFACTS
from tests.conftest import real_part
from tests.desks import GOOD, Desk, hooked, secret_in_config
from tests.documents import ROOT
from tests.processes import personalize, wait_for_urls
from tests.tokens import SECRET

pytestmark = pytest.mark.skipif(
    not (ROOT / "personalize" / "static" / "personalize.js").exists(), reason="the service has no script"
)
FALLBACK = "<p>See the archive.</p>"


@pytest.fixture(scope="module")
def service(desk: Desk) -> Iterator[str]:
    """Return the URL of a service that answers the blog's pages, and knows the key of its tokens."""
    settings = {"PERSONALIZE_ALLOWED_ORIGINS": desk.blog.url, "PERSONALIZE_IDENTITY_KEYS": f"web:{SECRET}"}
    with personalize("serve", "--sandbox", "--port", "0", "--sandbox-port", "0", environment=settings) as run:
        yield wait_for_urls(run, 2)[0]


def shown(url: str, folder: Path, wanted: str = "--dump-dom") -> str:
    """Return what a browser has made of a page."""
    command = [
        *(real_part("chromium"), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}"),
        *("--virtual-time-budget=10000", wanted, url),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=True).stdout


def block(recipe: str, more: str = "") -> str:
    """Return a post that has the block."""
    inside = f"<!-- wp:paragraph -->{FALLBACK}<!-- /wp:paragraph -->"
    asked = f'{{"recipe":"{recipe}","limit":2}}'
    return f"<!-- wp:personalize/content {asked} -->{inside}<!-- /wp:personalize/content -->{more}"


def script_hash(client: httpx.Client, service: str) -> str:
    """Return what a page expects of the service's script."""
    return f"sha384-{b64encode(sha384(client.get(f'{service}/personalize.js').content).digest()).decode()}"


def test_a_guest_sees_what_is_recommended(desk: Desk, guest: httpx.Client, service: str, tmp_path: Path) -> None:
    """Once the script's bytes are the expected ones; else the fallback stays."""
    visitor = '<script>window.personalize = { visitor: { user_id: "ada" } };</script>'
    path = desk.write(block("recommended-posts", f"<!-- wp:html -->{visitor}<!-- /wp:html -->"))
    options = {**GOOD, "service": service, "version": ""}
    [*posts] = guest.get(f"{service}/api/recommended-posts?user_id=ada&limit=2").json()["data"]

    desk.save(**{**options, "integrity": script_hash(guest, service)})
    page = shown(f"{desk.blog.url}{path}", tmp_path / "good")
    for post in posts:
        assert f'href="{post["url"]}"' in page
    assert FALLBACK not in page
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    shown(f"{desk.blog.url}{path}", tmp_path / "good", f"--screenshot={ARTEFACTS / 'wordpress.png'}")

    desk.save(**options)
    page = shown(f"{desk.blog.url}{path}", tmp_path / "bad")
    assert posts[0]["url"] not in page
    assert FALLBACK in page


def test_a_user_who_has_logged_in_sees_what_needs_proof(
    desk: Desk, guest: httpx.Client, service: str, tmp_path: Path
) -> None:
    """The page's token proves to the service who it is; a guest sees the fallback."""
    desk.blog.php("wp_create_user('ada', 'fake-password-of-ada');")
    path = desk.write(block("last-viewed-not-purchased"))
    options = {**GOOD, "service": service, "version": "", "user_field": "user_login"}
    desk.save(**{**options, "integrity": script_hash(guest, service)})
    ada = hooked("determine_current_user", "return username_exists('ada');")
    with secret_in_config(desk.blog, SECRET, ada):
        page = shown(f"{desk.blog.url}{path}", tmp_path / "ada")
    assert FALLBACK not in page
    assert page.count('data-field="name"') > 1
    assert FALLBACK in shown(f"{desk.blog.url}{path}", tmp_path / "guest")
