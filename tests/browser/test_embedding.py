"""Embedded in somebody's page: as the README shows it, under a strict policy, measured, and without moving anything."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page

from personalize.web import snippet
from tests.browser.pages import ADA, EARS, POSTS, WIDGET, heard, texts, visitor
from tests.browser.shifts import SHIFTS, shifted
from tests.browser.sites import started
from tests.browser.webs import Service, Web, serving
from tests.documents import examples
from tests.sites import Site

READER = "5e0f0c5a-8d3c-4c57-9f0e-0d2f5b6a7c11"
EXAMPLE = next(one.text for one in examples("README.md") if one.language == "html")
HERE = "https://personalize.example.com"
BELOW = "<p id='below'>What comes next.</p>"


@pytest.fixture(scope="module")
def shop() -> Iterator[Web]:
    """Return a server of pages whose origin the service allows."""
    with serving() as web:
        yield web


@pytest.fixture(scope="module")
def real(shop: Web) -> Iterator[Site]:
    """Return the service itself."""
    with started(ALLOWED_ORIGINS=shop.url) as site:
        yield site


def test_the_readme_s_example_works(
    tab: Page, shop: Web, real: Site, complaints: list[str], picture: Callable[[str], None]
) -> None:
    """Letter by letter, but for where the service is."""
    page = shop.page(visitor(READER) + EARS + EXAMPLE.replace(HERE, real.service) + BELOW)
    tab.add_init_script(SHIFTS)
    tab.route(f"**{snippet.ALIAS}", lambda route: route.abort())
    tab.goto(page)
    before = tab.locator("#below").bounding_box()

    tab.unroute(f"**{snippet.ALIAS}")
    tab.goto(page)
    [told] = heard(tab)
    assert tab.locator("#below").bounding_box() == before
    assert shifted(tab) == 0
    assert (told["name"], told["personalized"]) == ("personalize:ready", True)
    titles = texts(tab, "personalized-content a")
    assert titles == [post["title"] for post in told["data"]]
    assert len(titles) == 3
    assert complaints == []
    picture("readme")


def test_a_page_may_say_which_bytes_it_expects(tab: Page, shop: Web, real: Site, complaints: list[str]) -> None:
    """With the tag that `check-config` prints, from the running service; other bytes are not run."""
    tag = snippet.tag(real.service)
    tab.goto(shop.page(visitor(READER) + EARS + WIDGET + tag))
    assert heard(tab)[0]["name"] == "personalize:ready"
    assert complaints == []

    tab.goto(shop.page(WIDGET + tag.replace("sha384-", "sha384-A")))
    tab.wait_for_load_state()
    assert tab.evaluate("typeof window.personalize") == "undefined"
    assert texts(tab) == ["Our newest posts", "are here."]


def test_a_strict_policy_is_kept(tab: Page, blog: Web, service: Service, complaints: list[str]) -> None:
    """Nothing inline, nothing evaluated, no markup from text: only the service is named."""
    service.data["recommended-posts"] = POSTS
    tab.goto(blog.page(visitor(), "/before"))
    policy = (
        f"default-src 'none'; script-src {service.web.url}; connect-src {service.web.url}; img-src data:; "
        "require-trusted-types-for 'script'; trusted-types 'none'; base-uri 'none'; form-action 'none'"
    )
    tab.goto(blog.page(WIDGET + service.tag, Content_Security_Policy=policy))
    tab.wait_for_selector("personalized-content[aria-busy=false]")
    assert texts(tab) == ["First & foremost tea, cake", "Second"]
    assert complaints == []


@pytest.mark.parametrize("style", ["", "display: block; padding: 1em; border: 1px solid", "display: grid"])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_nothing_moves(tab: Page, blog: Web, service: Service, count: int, style: str) -> None:
    """Neither with as many items as the fallback has, nor with fewer, nor with none; with styles or as browsers do."""
    service.data["recommended-posts"] = POSTS[:count]
    sheet = f"<style>personalized-content {{ {style} }}</style>"
    tab.add_init_script(SHIFTS)
    tab.goto(blog.page(visitor() + EARS + sheet + WIDGET + BELOW))
    tab.evaluate("new Promise((go) => requestAnimationFrame(() => setTimeout(go)))")  # the fallback is painted
    before = tab.locator("#below").bounding_box()
    tab.add_script_tag(url=f"{service.web.url}{snippet.ALIAS}")
    heard(tab)
    assert tab.locator("#below").bounding_box() == before
    assert shifted(tab) == 0


def test_what_stands_in_a_sentence_stays_there(tab: Page, blog: Web, service: Service) -> None:
    """An element without blocks is none."""
    service.data["greeting"] = {"text": "Ada"}
    fallback = '<template><b data-field="text"></b></template><b>you</b>'
    sentence = f'<p>Hello <personalized-content recipe="greeting">{fallback}</personalized-content>!</p>'
    tab.goto(blog.page(visitor() + EARS + sentence + service.tag))
    heard(tab)
    assert tab.locator("p").inner_text() == "Hello Ada!"
    assert tab.locator("personalized-content").evaluate("(one) => getComputedStyle(one).display") == "inline"


def test_views_and_clicks_are_tracked_where_a_page_wants_it(tab: Page, blog: Web, service: Service) -> None:
    """Once it is seen, with what was shown; a click with which of them. Elsewhere nothing is."""
    service.data["recommended-posts"] = POSTS
    spy = "<script>window.tracked = []; window.analytics = { track: (...one) => tracked.push(one) };</script>"
    measured = WIDGET.replace("limit", "data-track limit")
    far = "<p style='height: 3000px'></p>"
    stay = "<script>addEventListener('click', (event) => event.preventDefault())</script>"
    tab.goto(blog.page(visitor() + spy + EARS + stay + WIDGET + far + measured + service.tag))
    heard(tab, 2)
    tab.locator("a").first.click()
    assert tab.evaluate("tracked") == []

    tab.locator("personalized-content").nth(1).scroll_into_view_if_needed()
    tab.wait_for_function("tracked.length === 1")
    tab.locator("[data-track] a").nth(1).click()
    tab.locator("[data-track] small").first.click()
    shown = {"recipe": "recommended-posts", "personalized": True}
    urls = [post["url"] for post in POSTS]
    assert tab.evaluate("tracked") == [
        ["Personalized Content Viewed", {**shown, "items": urls}],
        ["Personalized Content Clicked", {**shown, "item": urls[1], "position": 2}],
    ]


@pytest.mark.parametrize("after", [POSTS[:1], None, []])
def test_only_what_is_shown_is_tracked_as_seen(
    tab: Page, blog: Web, service: Service, after: list[dict[str, object]] | None
) -> None:
    """What took its place before anybody saw it counts once, and a fallback not at all."""
    service.data["recommended-posts"] = POSTS
    spy = "<script>window.tracked = []; window.analytics = { track: (...one) => tracked.push(one) };</script>"
    far = "<p style='height: 3000px'></p>"
    other = WIDGET.replace("limit", "data-track limit").replace("recommended-posts", "other")
    service.data["other"] = [{"url": "https://blog.example.com/other"}]
    measured = WIDGET.replace("limit", "data-track limit")
    tab.goto(blog.page(visitor() + spy + EARS + far + measured + other + service.tag))
    heard(tab, 2)
    if after is None:
        del service.data["recommended-posts"]
    else:
        service.data["recommended-posts"] = after
    tab.evaluate("personalize.refresh()")
    heard(tab, 4)
    tab.locator("personalized-content").last.scroll_into_view_if_needed()
    tab.wait_for_function("tracked.some(([, { recipe }]) => recipe === 'other')")
    seen = [told["items"] for _, told in tab.evaluate("tracked") if told["recipe"] == "recommended-posts"]
    assert seen == ([[POSTS[0]["url"]]] if after else [])


def test_without_anything_to_track_with_nothing_breaks(
    tab: Page, blog: Web, service: Service, complaints: list[str]
) -> None:
    """Or with something that throws."""
    service.data["recommended-posts"] = POSTS
    spy = "<script>window.analytics = { track() { window.called = true; throw new Error('no'); } };</script>"
    tab.goto(blog.page(visitor(ADA) + spy + EARS + WIDGET.replace("limit", "data-track limit") + service.tag))
    heard(tab)
    tab.wait_for_function("window.called")
    tab.evaluate("delete window.analytics")
    tab.locator("personalized-content a").first.evaluate("(link) => { link.href = '#'; link.click(); }")
    assert complaints == []
