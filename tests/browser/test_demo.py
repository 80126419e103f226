"""The demo site with the running service: what `make run` shows."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.pages import texts
from tests.browser.shifts import SHIFTS, shifted
from tests.sites import Site

POSTS = "[recipe=recommended-posts]"
PRODUCTS = "[recipe=last-viewed-not-purchased]"


def visit(tab: Page, url: str, who: str) -> None:
    """Open a page of the demo as one of its visitors."""
    tab.add_init_script(f"localStorage.setItem('sandbox-visitor', localStorage.getItem('sandbox-visitor') || '{who}')")
    tab.add_init_script(SHIFTS)
    tab.goto(url)


def is_personal(tab: Page, box: str, is_: str = "for you") -> None:
    """Wait until a box says for whom it is."""
    expect(tab.locator(f".box:has({box}) .badge")).to_have_text(is_)


def test_everybody_sees_what_is_theirs(
    tab: Page, site: Site, complaints: list[str], picture: Callable[[str], None]
) -> None:
    """The switcher changes both boxes, without anything that moves; Ada has logged in, nobody knows nobody."""
    visit(tab, f"{site.sandbox}/", "ada")
    is_personal(tab, POSTS)
    is_personal(tab, PRODUCTS)
    assert set(texts(tab, f"{POSTS} .chip")) == {"DATA & ANALYTICS"}
    assert len(texts(tab, f"{PRODUCTS} strong")) == 4

    tab.locator("#visitor").select_option("reader")
    expect(tab.locator(f"{POSTS} .chip").first).to_have_text("Coffee")

    tab.locator("#visitor").select_option("nobody")
    is_personal(tab, POSTS, "for everybody")
    is_personal(tab, PRODUCTS, "for everybody")
    assert shifted(tab) == 0
    assert complaints == []

    picture("demo-nobody")  # which resizes the page, and so moves what is on it
    tab.locator("#visitor").select_option("ada")
    is_personal(tab, PRODUCTS)
    picture("demo-ada")


def test_reading_changes_what_is_recommended(tab: Page, site: Site, picture: Callable[[str], None]) -> None:
    """A new visitor gets the newest posts; after some of one category, that category's, and not the one being read."""
    visit(tab, f"{site.sandbox}/", "new")
    is_personal(tab, POSTS, "for everybody")
    before = texts(tab, f"{POSTS} strong")

    for number in range(2):
        tab.locator("#journal .card:has-text('Cycling') a").nth(number).click()
        expect(tab.locator("h1")).to_be_visible()
        read = tab.locator("h1").inner_text()
        is_personal(tab, POSTS)
        assert read not in texts(tab, f"{POSTS} strong")
        tab.locator(".brand").click()
        is_personal(tab, POSTS)
        assert set(texts(tab, f"{POSTS} .chip")) == {"CYCLING"}
    assert texts(tab, f"{POSTS} strong") != before
    assert shifted(tab) == 0
    picture("demo-new-after-reading")


def test_buying_takes_a_product_off_the_list(
    tab: Page, site: Site, complaints: list[str], picture: Callable[[str], None]
) -> None:
    """What is looked at waits there, until it is bought."""
    visit(tab, f"{site.sandbox}/shop", "reader")
    picture("demo-shop")
    tab.locator("main > .cards a").last.click()
    name = tab.locator("h1").inner_text()
    listed = tab.locator(f"{PRODUCTS} strong").get_by_text(name, exact=True)
    expect(listed).to_be_visible()
    picture("demo-product")
    tab.get_by_role("button", name="Buy it").click()
    expect(tab.locator("#bought")).to_have_text("Thank you! It is on its way.")
    expect(listed).to_have_count(0)
    picture("demo-bought")
    assert complaints == []
