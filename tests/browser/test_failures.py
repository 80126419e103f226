"""When the service fails: the page stays as it was written."""

import threading

import pytest
from playwright.sync_api import Page

from personalize.web.snippet import ALIAS
from tests.browser.pages import EARS, WIDGET, heard, loaded, texts, visitor, widget
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


def test_a_page_does_not_wait_for_a_slow_service(tab: Page, blog: Web, service: Service, complaints: list[str]) -> None:
    """After 1.5 s it gives up, and the page is there all the time."""
    over = threading.Event()
    service.web.answers[API] = Answer("{}", JSON, held=over)
    try:
        tab.goto(blog.page(visitor() + EARS + WIDGET + service.tag))
        tab.wait_for_selector("personalized-content[aria-busy=true]")
        assert texts(tab) == ["Our newest posts", "are here."]
        [told] = heard(tab)
    finally:
        over.set()
    assert told["name"] == "personalize:error"
    assert texts(tab) == ["Our newest posts", "are here."]
    assert complaints == []


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
