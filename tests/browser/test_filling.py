"""Elements and calls: what they ask, and what a page shows of the answer."""

import pytest
from playwright.sync_api import Page

from tests.browser.pages import ADA, EARS, POSTS, WIDGET, heard, loaded, texts, visitor, widget
from tests.browser.webs import Service, Web

EVIL = "<img src=x onerror=document.title='owned'>"


def test_an_element_shows_what_its_recipe_answers(
    tab: Page, blog: Web, service: Service, complaints: list[str]
) -> None:
    """Once per item, with texts and links, in the place of the fallback; and the page is told."""
    service.data["recommended-posts"] = POSTS
    tab.goto(blog.page(visitor() + EARS + WIDGET + service.tag))
    [told] = heard(tab)
    assert (told["name"], told["recipe"], told["personalized"]) == ("personalize:ready", "recommended-posts", True)
    assert texts(tab) == ["First & foremost tea, cake", "Second"]
    assert tab.locator("personalized-content a").first.get_attribute("href") == POSTS[0]["url"]
    assert tab.locator("personalized-content").get_attribute("aria-busy") == "false"
    [asked] = service.asked
    assert asked.query == {"recipes": "0:recommended-posts", "0.limit": "2", "anonymous_id": ADA}
    assert complaints == []


def test_all_of_a_page_is_one_question(tab: Page, blog: Web, service: Service) -> None:
    """Without a preflight, a cookie or a proof: two elements, one asked for twice, and a call."""
    service.data |= {"recommended-posts": POSTS, "hero": {"content": {"title": "Hello"}}}
    hero = widget("hero", '<h1 data-field="content.title"></h1>')
    call = """<script>customElements.whenDefined("personalized-content")
      .then(() => personalize.get("hero", { place: "top" }))
      .then(({ data }) => { document.title = data.content.title; });</script>"""
    tab.goto(blog.page(visitor() + EARS + WIDGET + WIDGET + hero + call + service.tag))
    assert len(heard(tab, 3)) == 3
    tab.wait_for_function("document.title === 'Hello'")
    [asked] = service.asked
    assert asked.method == "GET"
    assert asked.query["recipes"] == "0:recommended-posts,1:hero,2:hero"
    assert asked.query["2.place"] == "top"
    assert not {"Cookie", "Authorization"} & asked.headers.keys()
    assert tab.locator("h1").inner_text() == "Hello"


def test_what_is_not_a_parameter_is_not_sent(tab: Page, blog: Web, service: Service) -> None:
    """Global attributes and those with a dash stay in the page."""
    service.data["hero"] = []
    named = 'class="a" id="b" style="color:red" lang="en" hidden title="c" aria-label="d" data-track role="list"'
    named += ' is="x" nonce="n" inert popover translate="no" draggable="true" accesskey="k" spellcheck="false"'
    hero = widget("hero", "", f'{named} place="top"')
    tab.goto(blog.page(visitor() + EARS + hero + service.tag))
    heard(tab)
    assert service.asked[0].query == {"recipes": "0:hero", "0.place": "top", "anonymous_id": ADA}


def test_markup_and_scripts_in_content_are_text(tab: Page, blog: Web, service: Service, complaints: list[str]) -> None:
    """Titles are shown letter by letter; links are to the web alone, and pictures too."""
    urls = [
        "javascript:document.title='owned'",
        " JaVaScRiPt:1",
        "data:text/html,x",
        "vbscript:x",
        "https://x.example/",
    ]
    service.data["posts"] = [{"title": EVIL, "url": url, "image": url} for url in urls]
    links = """<p><a data-field="title" data-href="url"></a>
      <img data-src="image" alt="" data-href="url"><iframe data-src="image"></iframe></p>"""
    tab.route("https://x.example/**", lambda route: route.abort())
    tab.goto(blog.page(visitor() + EARS + widget("posts", links) + service.tag))
    heard(tab)
    shown = tab.locator("personalized-content a")
    assert shown.all_inner_texts() == [EVIL] * 5
    assert [one.get_attribute("href") for one in shown.all()] == [None] * 4 + ["https://x.example/"]
    pictures = tab.locator("personalized-content img").all()
    assert [(one.get_attribute("src"), one.get_attribute("href")) for one in pictures] == [(None, None)] * 4 + [
        ("https://x.example/", None)
    ]
    assert [one.get_attribute("src") for one in tab.locator("iframe").all()] == [None] * 5
    for one in shown.all():
        if not one.get_attribute("href"):
            one.click()
    assert tab.title() != "owned"
    assert complaints == []


@pytest.mark.parametrize("nothing", [[], None, [None], ""])
def test_nothing_to_show_leaves_the_fallback(tab: Page, blog: Web, service: Service, nothing: object) -> None:
    """An empty answer is an answer; the page still has something to read."""
    service.data["recommended-posts"] = nothing
    tab.goto(blog.page(visitor() + EARS + WIDGET + service.tag))
    assert heard(tab)[0]["name"] == "personalize:ready"
    assert texts(tab) == ["Our newest posts", "are here."]


def test_nobody_loses_the_link_that_they_are_on(tab: Page, blog: Web, service: Service) -> None:
    """An answer waits until the focus has left the fallback."""
    service.data["recommended-posts"] = POSTS
    focused = WIDGET.replace("<p>are here.</p>", '<p><a id="mine" href="#">are here</a></p>')
    late = "<script>document.getElementById('mine').focus()</script>"
    tab.goto(blog.page(visitor() + EARS + focused + late + '<a id="next" href="#">Next</a>' + service.tag))
    tab.wait_for_selector("personalized-content[aria-busy=false]")
    assert tab.evaluate("document.activeElement.id") == "mine"
    tab.keyboard.press("Tab")
    heard(tab)
    assert tab.evaluate("document.activeElement.id") == "next"
    assert texts(tab)[0] == "First & foremost tea, cake"


def test_an_element_that_comes_later_is_filled_too(tab: Page, blog: Web, service: Service) -> None:
    """As is one that is moved, which asks once."""
    service.data["recommended-posts"] = POSTS
    tab.goto(blog.page(visitor() + EARS + "<main></main>" + service.tag))
    loaded(tab)
    tab.evaluate("(markup) => { document.querySelector('main').innerHTML = markup; }", WIDGET)
    heard(tab)
    tab.evaluate("document.body.prepend(document.querySelector('personalized-content'))")
    assert texts(tab) == ["First & foremost tea, cake", "Second"]
    assert len(service.asked) == 1


def test_more_than_the_service_takes_at_once_are_two_questions(tab: Page, blog: Web, service: Service) -> None:
    """Of twenty recipes at most; all that are answered are kept."""
    service.data["recommended-posts"] = POSTS
    elements = "".join(WIDGET.replace('"2"', f'"{limit}"') for limit in range(1, 22))
    tab.goto(blog.page(visitor() + EARS + elements + service.tag))
    heard(tab, 21)
    assert sorted(one.query["recipes"].count(":") for one in service.asked) == [1, 20]
    tab.wait_for_function("Object.keys(JSON.parse(sessionStorage.personalize).answers).length === 21")
