"""The block in the editor of a real WordPress, in a real browser: inserted, set, saved, and shown in the page."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import ARTEFACTS
from tests.conftest import real_part
from tests.desks import GOOD, Desk
from tests.wordpress import PASSWORD

BLOG = "http://blog.example.com"
INSERTED = """() => {
  const block = wp.blocks.createBlock("personalize/content");
  wp.data.dispatch("core/block-editor").insertBlock(block);
  wp.data.dispatch("core/block-editor").selectBlock(block.clientId);
}"""
KNOWN = "window.wp && wp.blocks && wp.blocks.getBlockType('personalize/content')"
WRITTEN = "wp.data.select('core/editor').getEditedPostContent()"
SETTINGS = ".block-editor-block-inspector"


@pytest.fixture
def complaints() -> list[str]:
    """Return where things went wrong in the page: WordPress' own scripts do so too."""
    return []


@pytest.fixture
def tab(desk: Desk, complaints: list[str]) -> Iterator[Page]:
    """Return a page of the administrator's, under the name that the blog has."""
    rule = f"--host-resolver-rules=MAP blog.example.com:80 127.0.0.1:{urlsplit(desk.blog.url).port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=real_part("chromium"), args=["--no-sandbox", rule])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(40_000)
        page.on("pageerror", lambda error: complaints.append(error.stack or str(error)))
        yield page
        browser.close()


def test_the_block_is_set_in_the_editor(desk: Desk, tab: Page, complaints: list[str]) -> None:
    """Its settings stand beside it with their defaults, and what is set there is what the post says."""
    desk.save(**GOOD)
    tab.goto(f"{BLOG}/wp-login.php")
    tab.fill("#user_login", "admin")
    tab.fill("#user_pass", PASSWORD)
    tab.click("#wp-submit")
    tab.goto(f"{BLOG}/wp-admin/post-new.php")
    tab.wait_for_function(KNOWN)
    tab.evaluate("wp.data.dispatch('core/preferences').set('core/edit-post', 'welcomeGuide', false)")
    tab.evaluate(INSERTED)
    beside = tab.locator(SETTINGS)
    assert beside.get_by_label("Recipe").input_value() == "recommended-posts"
    beside.get_by_label("Recipe").fill("last-viewed-not-purchased")
    beside.get_by_label("Send views and clicks to analytics").check()
    tab.wait_for_function(f"{WRITTEN}.includes('track')")
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=ARTEFACTS / "wordpress-editor.png")
    written = tab.evaluate(WRITTEN)
    assert '<!-- wp:personalize/content {"recipe":"last-viewed-not-purchased","track":true} -->' in written
    assert "<!-- wp:paragraph {" in written
    assert [one for one in complaints if "plugins/personalize" in one] == []
