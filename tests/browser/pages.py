"""What tests' pages are made of, and what they wait for."""

from typing import Any

from playwright.sync_api import Page

ADA = "01900000-0000-4000-8000-00000000ada0"

POSTS: list[dict[str, Any]] = [
    {"title": "First & foremost", "url": "https://blog.example.com/1", "categories": ["tea", "cake"], "image": None},
    {"title": "Second", "url": "https://blog.example.com/2", "categories": [], "image": None},
]

WIDGET = """<personalized-content recipe="recommended-posts" limit="2"><template>
<p><a data-field="title" data-href="url"></a> <small data-field="categories"></small></p></template>
<p>Our newest posts</p><p>are here.</p></personalized-content>"""

EARS = """<script>
window.heard = [];
for (const name of ["personalize:ready", "personalize:error"])
  document.addEventListener(name, (event) => heard.push({ name, ...event.detail }));
</script>"""
"""Notes what the script tells a page."""


def visitor(anonymous_id: str = ADA, user_id: str | None = None) -> str:
    """Return a script that leaves what analytics.js leaves of a visitor, before all others of the page."""
    user = "" if user_id is None else f"localStorage.setItem('ajs_user_id', '\"{user_id}\"');"
    return f"<script>localStorage.setItem('ajs_anonymous_id', '\"{anonymous_id}\"');{user}</script>"


def widget(recipe: str, inside: str, attributes: str = "") -> str:
    """Return an element whose template has this inside, and which has nothing to fall back on."""
    return f'<personalized-content recipe="{recipe}" {attributes}><template>{inside}</template></personalized-content>'


def loaded(tab: Page) -> None:
    """Wait until the script has run."""
    tab.wait_for_function("'get' in (window.personalize || {})")


def heard(tab: Page, count: int = 1) -> list[dict[str, Any]]:
    """Return what a page was told, once it was told that often."""
    tab.wait_for_function(f"window.heard.length >= {count}")
    told: list[dict[str, Any]] = tab.evaluate("window.heard")
    return told


def texts(tab: Page, selector: str = "personalized-content p") -> list[str]:
    """Return what a visitor reads there."""
    return [text.strip() for text in tab.locator(selector).all_inner_texts()]
