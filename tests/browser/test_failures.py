"""When the service fails: the page stays as it was written."""

import threading

import pytest
from playwright.sync_api import Page

from personalize.web.snippet import ALIAS
from tests.browser.pages import EARS, POSTS, WIDGET, heard, loaded, texts, visitor, widget
from tests.browser.webs import API, Answer, Service, Web

JSON = "application/json"
PROBLEM = '{"code": "bad_parameter", "status": 400}'
BROKEN: dict[str, Answer] = {
    "500": Answer("Oh no", status=500),
    "a problem": Answer(PROBLEM, JSON, status=400),
    "markup": Answer("<html>Hello from a captive portal</html>"),
    "half of it": Answer('{"results": {"0": {"sta', JSON),
    "nothing": Answer("", JSON),
    "null": Answer("null", JSON),
    "no results": Answer("{}", JSON),
    "another result": Answer('{"results": {"1": {"status": "ok"}}}', JSON),
    "a list": Answer('{"results": [null]}', JSON),
    "an unexplained error": Answer('{"results": {"0": {"status": "error"}}}', JSON),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_the_fallback_stays(tab: Page, blog: Web, service: Service, complaints: list[str], kind: str) -> None:
    """Whatever is answered, if it is no answer; and the page is told, not the console."""
    service.web.answers[API] = BROKEN[kind]
    tab.goto(blog.page(visitor() + EARS + WIDGET + service.tag))
    [told] = heard(tab)
    assert told["name"] == "personalize:error"
    assert told["code"] == ("bad_parameter" if kind == "a problem" else "unavailable")
    assert texts(tab) == ["Our newest posts", "are here."]
    assert tab.locator("personalized-content").get_attribute("aria-busy") == "false"
    assert complaints == []


def opened(tab: Page, url: str) -> None:
    """Open a page whose clock stands still, and let it run until the page has begun to ask."""
    tab.clock.install(time=0)
    tab.clock.pause_at(1)
    tab.goto(url)
    loaded(tab)
    tab.clock.run_for(0)
    assert tab.evaluate("window.begun") == tab.evaluate("Date.now()")


SLOW = {
    "a token": "token: () => { window.begun = Date.now(); return new Promise(() => {}); }",
    "a visitor": "token: () => { window.begun = Date.now(); }, visitor: () => new Promise(() => {})",
    "analytics.js": "token: () => { window.begun = Date.now(); window.analytics = { ready() {} }; }",
    "the service": "token: () => { window.begun = Date.now(); }",
}
"""What a page may have to wait for; when it began to."""


@pytest.mark.parametrize("what", SLOW)
def test_a_page_waits_for_a_second_and_a_half(
    tab: Page, blog: Web, service: Service, complaints: list[str], what: str
) -> None:
    """For whatever it is, and no longer; the page is there all the time."""
    over = threading.Event()
    service.web.answers[API] = Answer("{}", JSON, held=over)
    who = "" if what == "analytics.js" else visitor()
    told = f"<script>window.personalize = {{ {SLOW[what]} }}</script>"
    try:
        opened(tab, blog.page(told + who + EARS + WIDGET + service.tag))
        tab.clock.run_for(1499)
        assert tab.locator("personalized-content").get_attribute("aria-busy") == "true"
        assert tab.evaluate("heard") == []
        assert texts(tab) == ["Our newest posts", "are here."]
        tab.clock.run_for(1)
        [event] = tab.evaluate("heard")
    finally:
        over.set()
    assert (event["name"], event["code"]) == ("personalize:error", "timeout")
    assert tab.locator("personalized-content").get_attribute("aria-busy") == "false"
    assert texts(tab) == ["Our newest posts", "are here."]
    assert complaints == []


def test_all_that_a_page_waits_for_is_waited_for_once(tab: Page, blog: Web, service: Service) -> None:
    """A token that took long leaves the service less time: the limit is the page's, not each part's."""
    over = threading.Event()
    service.web.answers[API] = Answer("{}", JSON, held=over)
    late = """<script>window.personalize = { token: () => {
      window.begun = Date.now();
      return new Promise((go) => setTimeout(go, 1400));
    } }</script>"""
    try:
        opened(tab, blog.page(late + visitor() + EARS + WIDGET + service.tag))
        with tab.expect_request(f"**{API}*"):
            tab.clock.run_for(1499)
        assert tab.evaluate("heard") == []
        tab.clock.run_for(1)
        assert [one["code"] for one in tab.evaluate("heard")] == ["timeout"]
    finally:
        over.set()


@pytest.mark.parametrize("kind", ["500", "half of it"])
def test_what_cannot_be_asked_anew_stays(tab: Page, blog: Web, service: Service, kind: str) -> None:
    """With the focus that is in it: what was answered before is better than what nobody has answered."""
    service.data["recommended-posts"] = POSTS
    tab.goto(blog.page(visitor() + EARS + WIDGET + service.tag))
    heard(tab)
    tab.locator("personalized-content a").first.focus()
    service.web.answers[API] = BROKEN[kind]
    tab.evaluate("personalize.refresh()")
    assert heard(tab, 2)[1]["name"] == "personalize:error"
    assert texts(tab) == ["First & foremost tea, cake", "Second"]
    assert tab.evaluate("document.activeElement.textContent") == "First & foremost"


def test_what_is_no_longer_the_visitor_s_goes(tab: Page, blog: Web, service: Service) -> None:
    """Where the new visitor may not see it, or there is none, the fallback comes back."""
    service.data["recommended-posts"] = POSTS
    tab.goto(blog.page(visitor() + EARS + WIDGET + service.tag))
    heard(tab)
    service.data.clear()
    tab.evaluate("personalize.refresh()")
    assert heard(tab, 2)[1]["code"] == "proof_required"
    assert texts(tab) == ["Our newest posts", "are here."]


@pytest.mark.parametrize("gone", [ALIAS, API])
def test_a_service_that_is_away_costs_nothing(
    tab: Page, blog: Web, service: Service, complaints: list[str], gone: str
) -> None:
    """Be it before the script came or after."""
    tab.route(f"**{gone}*", lambda route: route.abort("connectionrefused"))
    tab.goto(blog.page(visitor() + EARS + WIDGET + service.tag))
    if gone == API:
        assert heard(tab)[0]["name"] == "personalize:error"
    assert texts(tab) == ["Our newest posts", "are here."]
    assert complaints == []


def test_one_recipe_costs_the_page_no_other(tab: Page, blog: Web, service: Service) -> None:
    """A refused one keeps its fallback."""
    service.data["hero"] = {"title": "Hello"}
    hero = widget("hero", '<h1 data-field="title"></h1>')
    tab.goto(blog.page(visitor() + EARS + WIDGET + hero + service.tag))
    told = {one["recipe"]: one for one in heard(tab, 2)}
    assert told["recommended-posts"]["code"] == "proof_required"
    assert told["hero"]["name"] == "personalize:ready"
    assert tab.locator("h1").inner_text() == "Hello"
    assert texts(tab) == ["Our newest posts", "are here."]


def test_a_call_is_refused_with_the_reason(tab: Page, blog: Web, service: Service) -> None:
    """For those who render themselves."""
    tab.goto(blog.page(visitor() + service.tag))
    loaded(tab)
    assert tab.evaluate("personalize.get('secret').catch((error) => error.code)") == "proof_required"


def test_a_script_that_is_there_twice_works_once(tab: Page, blog: Web, service: Service, complaints: list[str]) -> None:
    """As happens where two parts of a site bring it."""
    service.data["recommended-posts"] = []
    tab.goto(blog.page(visitor() + EARS + WIDGET + service.tag + service.tag))
    heard(tab)
    assert len(service.asked) == 1
    assert complaints == []
