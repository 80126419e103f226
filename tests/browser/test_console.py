"""The console in a real browser: by keyboard alone, with a key and without, and nothing that its policy forbids."""

import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.sites import started
from tests.sites import API_KEY, Site, track

Picture = Callable[[str], None]
SPENT = re.compile(r" (?!30\.0)\d")
"""A point of a chart that is not at its bottom."""
VITALS = "**/console/vitals"
LOOKS_EVERY = 2000
"""Milliseconds between two looks at the numbers."""


@pytest.fixture(scope="module")
def locked() -> Iterator[Site]:
    """Return one that asks for a key."""
    with started(CONSOLE="keys") as site:
        yield site


def watch(tab: Page, site: Site) -> None:
    """Open the page with a clock that can be put forward, and let it look at the numbers once."""
    tab.clock.install()
    with tab.expect_response(VITALS):
        tab.goto(f"{site.service}/console")


def look(tab: Page) -> None:
    """Let it look again now, not when it would: should it not have come to wait yet, it does so by itself."""
    with tab.expect_response(VITALS):
        tab.clock.fast_forward(LOOKS_EVERY)


def focused(tab: Page) -> str:
    """Return the id of what has the focus."""
    found: str = tab.evaluate("document.activeElement.id || document.activeElement.type || ''")
    return found


def tab_to(tab: Page, name: str) -> None:
    """Press the Tab key until something has the focus."""
    for _ in range(40):
        if focused(tab) == name:
            return
        tab.keyboard.press("Tab")
    raise AssertionError(f"{name} cannot be reached by the Tab key")


def ask(tab: Page, recipe: str, user_id: str) -> None:
    """Ask by keyboard alone."""
    tab_to(tab, "recipe")
    tab.keyboard.type(recipe)
    tab_to(tab, "parameter-user_id")
    tab.keyboard.press("Control+a")
    tab.keyboard.type(user_id)
    tab.keyboard.press("Enter")


def needs(tab: Page) -> dict[str, str]:
    """Return where each need came from, as the table says."""
    rows = (row.locator("td").all_inner_texts() for row in tab.locator("#needs tr").all())
    return {parameter: source for parameter, _, source, *_ in rows}


def test_an_answer_is_looked_at_by_keyboard(site: Site, tab: Page, complaints: list[str], picture: Picture) -> None:
    """Its tiers, its ages, its calls to Segment with their ids, what took how long, and all of it as a page gets it."""
    with httpx.Client(trust_env=False) as client:  # about whom nobody has asked yet
        track(client, site.sandbox, userId="looker", event="Post Viewed", properties={"category": "Cycling"})
    tab.goto(f"{site.service}/console")
    expect(tab.locator("#recipe option").first).to_be_attached()
    ask(tab, "recommended-posts", "looker")
    expect(tab.locator("#facts")).to_contain_text("personalized")
    assert needs(tab) == {"posts": "provider", "category": "Profile API", "limit": "default", "exclude": "default"}
    timeline = tab.locator("#waterfall svg").get_attribute("aria-label")
    assert timeline is not None
    assert "GET …/traits" in timeline
    assert "Request-Id" in (tab.locator("#waterfall").text_content() or "")
    expect(tab.frame_locator("#shown iframe").locator("a").first).to_be_visible()
    expect(tab.locator("#answer")).to_have_attribute("aria-busy", "false")
    ages = tab.locator("#needs tr", has_text="Profile API").locator("td").all_inner_texts()
    assert ages[3].endswith(" s")
    assert ages[4].startswith("for ")
    assert tab.locator("#needs tr", has_text="provider").locator("td").nth(5).inner_text() == "48"
    tab_to(tab, "whole")
    tab.keyboard.press("Enter")
    expect(tab.locator("#json")).to_be_visible()
    expect(tab.locator("#json")).to_contain_text('"personalized": true')
    expect(tab.locator("#json")).to_contain_text('"degraded": false')
    tab.keyboard.press("Enter")
    expect(tab.locator("#json")).to_be_hidden()
    expect(tab.locator("#budget")).to_contain_text("of 80/s")
    httpx.get(f"{site.service}/api/recommended-posts?user_id=ada", trust_env=False).raise_for_status()
    expect(tab.locator("#latency")).to_contain_text("ms")
    picture("console")
    tab.locator("#recipe").focus()
    ask(tab, "recommended-posts", "looker")
    expect(tab.locator("#needs")).to_contain_text("memory")
    assert "GET" not in (tab.locator("#waterfall svg").get_attribute("aria-label") or "")
    tab.emulate_media(color_scheme="dark")
    picture("console-dark")
    assert complaints == []


def test_what_is_asked_wrongly_is_said(site: Site, tab: Page, complaints: list[str]) -> None:
    """In words, at once, to those who listen too."""
    tab.goto(f"{site.service}/console")
    expect(tab.locator("#recipe option").first).to_be_attached()
    ask(tab, "recommended-posts", "")
    expect(tab.get_by_role("alert")).to_contain_text("is required: say whom this is about.")
    assert complaints == []


def test_live_numbers_move(site: Site, tab: Page) -> None:
    """With what happens besides."""
    watch(tab, site)
    look(tab)
    expect(tab.locator("#budget")).to_contain_text("of 80/s")
    with httpx.Client(base_url=site.service, trust_env=False) as client:
        for number in range(20):
            client.get(
                "/api/recommended-posts", params={"anonymous_id": f"0c7d1a3e-52f4-4b0e-9a61-7f3e2d9c8b{number:02}"}
            )
    look(tab)
    expect(tab.locator("#hits")).to_contain_text("%")
    expect(tab.locator("#latency")).to_contain_text("ms")
    expect(tab.locator("#budget-chart path")).to_have_attribute("d", SPENT)


def test_numbers_of_two_processes_are_not_compared(site: Site, tab: Page) -> None:
    """As where several workers answer, or one has started again: its chart begins anew."""
    told = {"process": "one", "answers": {}, "reads": {}, "seconds": {}, "calls": 500, "budget": 80}
    tab.route(VITALS, lambda route: route.fulfill(json={**told, "breaker_open": False}))
    watch(tab, site)
    look(tab)
    expect(tab.locator("#budget")).to_have_text("0.0 of 80/s")
    told |= {"process": "another", "calls": 3}
    look(tab)
    expect(tab.locator("#budget-chart path")).to_have_count(0)
    look(tab)
    expect(tab.locator("#budget-chart path")).to_have_count(1)
    expect(tab.locator("#budget")).to_have_text("0.0 of 80/s")


def test_a_description_that_does_not_come_is_told(site: Site, tab: Page, complaints: list[str]) -> None:
    """For without it nothing can be asked."""
    tab.route("**/openapi.json", lambda route: route.fulfill(status=503))
    tab.goto(f"{site.service}/console")
    expect(tab.get_by_role("alert")).to_contain_text("openapi.json could not be read (status 503)")
    assert complaints == []


def test_a_key_is_asked_for_where_one_is_needed(locked: Site, tab: Page, complaints: list[str]) -> None:
    """It is kept for the tab, and in no URL."""
    tab.goto(f"{locked.service}/console")
    expect(tab.locator("#key")).to_be_visible()
    tab_to(tab, "key")
    tab.keyboard.type(API_KEY)
    ask(tab, "customer-context", "ada")
    expect(tab.locator("#facts")).to_contain_text("personalized")
    expect(tab.locator("#json")).to_contain_text("segment_id")
    assert API_KEY not in tab.url
    tab.reload()
    expect(tab.locator("#recipe option").first).to_be_attached()
    ask(tab, "customer-context", "ada")
    expect(tab.locator("#facts")).to_contain_text("personalized")
    expect(tab.locator("#key")).to_be_hidden()
    assert complaints == []


def test_what_an_answer_says_stays_text(site: Site, tab: Page, complaints: list[str]) -> None:
    """Markup in traits is shown as it is written, and runs nowhere."""
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    call = {"userId": "eve", "traits": {"first_name": evil, "favorite_blog_category": evil}}
    httpx.post(f"{site.sandbox}/v1/identify", json=call, auth=("sandbox-write-key", "")).raise_for_status()
    tab.on("dialog", lambda dialog: complaints.append(dialog.message))
    tab.goto(f"{site.service}/console")
    expect(tab.locator("#recipe option").first).to_be_attached()
    ask(tab, "customer-context", "eve")
    expect(tab.locator("#shown pre")).to_contain_text("onerror")
    assert tab.locator("#shown img, #shown script").count() == 0
    assert complaints == []
