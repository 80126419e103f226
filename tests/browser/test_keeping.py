"""What a browser keeps of answers, and of whom; and that nothing happens without consent."""

import threading

import pytest
from playwright.sync_api import Page

from tests.browser.pages import ADA, EARS, POSTS, WIDGET, heard, loaded, texts, visitor
from tests.browser.webs import API, Answer, Seen, Service, Web

OTHER = "01900000-0000-4000-8000-0000000000ff"
SPY = """<script>
window.reads = [];
for (const [owner, name] of ["getItem", "setItem", "removeItem"].map((name) => [Storage.prototype, name])) {
  const real = owner[name];
  owner[name] = function (key, value) { reads.push(name); return real.call(this, key, value); };
}
const cookies = Object.getOwnPropertyDescriptor(Document.prototype, "cookie");
Object.defineProperty(document, "cookie", { get() { reads.push("cookie"); return cookies.get.call(document); } });
window.analytics = { user: () => { reads.push("user"); return {}; }, track: () => reads.push("track") };
</script>"""


def test_the_second_page_view_asks_nothing(tab: Page, blog: Web, service: Service) -> None:
    """While the answer is fresh, also on a page with only some of the recipes."""
    service.data |= {"recommended-posts": POSTS, "hero": []}
    tab.goto(blog.page(visitor() + EARS + WIDGET + WIDGET.replace("recommended-posts", "hero") + service.tag))
    heard(tab, 2)
    tab.goto(blog.page(EARS + WIDGET + service.tag, "/second"))
    heard(tab)
    assert texts(tab) == ["First & foremost tea, cake", "Second"]
    assert len(service.asked) == 1


@pytest.mark.parametrize("change", ["an age of 0", "time", "another visitor", "a proof", "other parameters", "refresh"])
def test_what_is_not_the_same_or_not_fresh_is_asked_again(tab: Page, blog: Web, service: Service, change: str) -> None:
    """An answer is kept as long as it says, for whom it was, and for what they asked."""
    service.data["recommended-posts"] = POSTS
    service.max_age = 0 if change == "an age of 0" else 60
    tab.goto(blog.page(visitor() + EARS + WIDGET + service.tag))
    heard(tab)
    other = {
        "time": "<script>const now = Date.now(); Date.now = () => now + 60_000;</script>",
        "another visitor": visitor(OTHER),
        "a proof": "<script>window.personalize = { token: 'x' }</script>",
    }.get(change, "")
    asked = WIDGET.replace('"2"', '"1"') if change == "other parameters" else WIDGET
    tab.goto(blog.page(other + EARS + asked + service.tag, "/second"))
    heard(tab)
    if change == "refresh":
        tab.evaluate("personalize.refresh()")
        heard(tab, 2)
    assert len([one for one in service.asked if one.method == "GET"]) == 2


def test_of_another_visitor_nothing_is_kept(tab: Page, blog: Web, service: Service) -> None:
    """What was kept of somebody goes when somebody else comes."""
    service.data["recommended-posts"] = POSTS
    tab.goto(blog.page(visitor() + EARS + WIDGET + service.tag))
    heard(tab)
    tab.goto(blog.page(visitor(OTHER) + EARS + WIDGET + service.tag, "/second"))
    heard(tab)
    kept = tab.evaluate("sessionStorage.getItem('personalize')")
    assert OTHER in kept
    assert ADA not in kept


@pytest.mark.parametrize("kept", ["", "null", "[]", "{", '{"who": null}', '{"who": 1, "answers": {"a": 1}}'])
def test_what_somebody_else_has_stored_there_is_no_answer(tab: Page, blog: Web, service: Service, kept: str) -> None:
    """It is asked as if nothing were there."""
    service.data["recommended-posts"] = POSTS
    tab.goto(
        blog.page(
            f"<script>sessionStorage.setItem('personalize', '{kept}')</script>{visitor()}{EARS}{WIDGET}{service.tag}"
        )
    )
    assert heard(tab)[0]["name"] == "personalize:ready"


def test_nothing_is_read_or_sent_before_consent(tab: Page, blog: Web, service: Service) -> None:
    """And everything after it; when it is withdrawn, what was kept goes and nothing more is asked."""
    service.data["recommended-posts"] = POSTS
    asking = service.tag.replace("async", "async data-consent")
    tab.goto(blog.page(visitor() + SPY + EARS + WIDGET + asking))
    loaded(tab)
    tab.evaluate("() => { personalize.get('hero').catch(() => 0); personalize.refresh(); }")
    tab.evaluate("new Promise((go) => setTimeout(go, 300))")  # nothing announces what does not happen
    assert tab.evaluate("[reads, personalize.consented]") == [[], None]
    assert tab.locator("[aria-busy]").count() == 0
    assert service.asked == []

    tab.evaluate("personalize.consent()")
    heard(tab)
    assert texts(tab)[0] == "First & foremost tea, cake"
    assert len(service.asked) == 1

    tab.evaluate("personalize.consent(false)")
    assert tab.evaluate("Object.keys(sessionStorage)") == []
    tab.evaluate("() => { personalize.get('hero'); }")
    tab.evaluate("new Promise((go) => setTimeout(go, 300))")
    assert len(service.asked) == 1


def test_consent_that_was_given_before_counts(tab: Page, blog: Web, service: Service) -> None:
    """A page that knows it says so before the script comes."""
    service.data["recommended-posts"] = POSTS
    asking = service.tag.replace("async", "async data-consent")
    script = "<script>window.personalize = { consented: true }</script>"
    tab.goto(blog.page(script + visitor() + EARS + WIDGET + asking))
    heard(tab)
    assert len(service.asked) == 1


def test_consent_that_is_taken_back_ends_what_is_prepared(tab: Page, blog: Web, service: Service) -> None:
    """While a page looks for its token, nothing has been asked: nothing will be, nor is anything read."""
    asking = service.tag.replace("async", "async data-consent")
    late = "<script>window.personalize = { token: () => new Promise((go) => { window.go = go; }) }</script>"
    tab.goto(blog.page(late + visitor() + SPY + EARS + WIDGET + asking))
    loaded(tab)
    tab.evaluate("personalize.consent()")
    tab.wait_for_function("'go' in window")
    tab.evaluate("() => { personalize.consent(false); reads.length = 0; go(''); }")
    assert heard(tab)[0]["code"] == "no_consent"
    tab.evaluate("new Promise((go) => setTimeout(go, 300))")  # nothing announces what does not happen
    assert tab.evaluate("reads") == []
    assert service.asked == []
    assert tab.locator("[aria-busy=true]").count() == 0


def test_an_answer_that_comes_after_consent_was_taken_back_is_dropped(
    tab: Page, blog: Web, service: Service, complaints: list[str]
) -> None:
    """It is neither shown nor kept; asked for again with consent, it is."""
    service.data["recommended-posts"] = POSTS
    asked, over = threading.Event(), threading.Event()

    def held(seen: Seen) -> Answer:
        asked.set()
        over.wait(20)
        return service.answer(seen)

    service.web.answers[API] = held
    tab.goto(blog.page(visitor() + EARS + WIDGET + service.tag.replace("async", "async data-consent")))
    loaded(tab)
    tab.evaluate("personalize.consent()")
    assert asked.wait(10)
    tab.evaluate("personalize.consent(false)")
    over.set()
    assert heard(tab)[0]["code"] == "no_consent"
    tab.evaluate("new Promise((go) => setTimeout(go, 300))")
    assert tab.evaluate("Object.keys(sessionStorage)") == []
    assert texts(tab) == ["Our newest posts", "are here."]

    tab.evaluate("() => { personalize.consent(); personalize.refresh(); }")
    assert heard(tab, 2)[1]["name"] == "personalize:ready"
    assert texts(tab)[0] == "First & foremost tea, cake"
    assert complaints == []


def test_a_refused_recipe_keeps_no_other_from_being_kept(tab: Page, blog: Web, service: Service) -> None:
    """What is refused without proof is all that the second page asks for."""
    service.data["public"] = POSTS
    page = visitor(user_id="u1") + EARS + WIDGET + WIDGET.replace("recommended-posts", "public") + service.tag
    tab.goto(blog.page(page))
    heard(tab, 2)
    tab.goto(blog.page(page, "/second"))
    heard(tab, 2)
    assert {one.query["recipes"] for one in service.asked[2:]} == {"0:recommended-posts"}
