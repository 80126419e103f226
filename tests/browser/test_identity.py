"""Who is visiting: what analytics.js leaves in a browser, in all the ways in which it has ever left it."""

import base64
import json

import pytest
from playwright.sync_api import Page

from tests.browser.pages import ADA, EARS, POSTS, WIDGET, heard, texts, visitor
from tests.browser.webs import Answer, Service, Web
from tests.conftest import package

LONG = "12345678901234567890"
WORD = "Zoë 你好+&="
ENCODED = "Zo%C3%AB%20%E4%BD%A0%E5%A5%BD%2B%26%3D"
STANDALONE = "@segment/analytics-next/dist/umd/index.js"

Texts = dict[str, str]

LEFT: dict[str, tuple[Texts, Texts, Texts]] = {
    "quoted": ({"ajs_user_id": '"u1"', "ajs_anonymous_id": f'"{ADA}"'}, {}, {"user_id": "u1", "anonymous_id": ADA}),
    "unquoted": ({"ajs_user_id": "u1", "ajs_anonymous_id": ADA}, {}, {"user_id": "u1", "anonymous_id": ADA}),
    "half quoted": ({"ajs_user_id": '"u1'}, {}, {"user_id": '"u1'}),
    "logged out": ({"ajs_user_id": "null", "ajs_anonymous_id": f'"{ADA}"'}, {}, {"anonymous_id": ADA}),
    "empty": ({"ajs_user_id": '""', "ajs_anonymous_id": f'"{ADA}"'}, {}, {"anonymous_id": ADA}),
    "a long number": ({"ajs_user_id": LONG}, {}, {"user_id": LONG}),
    "a long number as text": ({"ajs_user_id": f'"{LONG}"'}, {}, {"user_id": LONG}),
    "a number with zeros": ({"ajs_user_id": "007"}, {}, {"user_id": "007"}),
    "unicode": ({"ajs_user_id": f'"{WORD}"'}, {}, {"user_id": WORD}),
    "a quotation mark": ({"ajs_user_id": '"a\\"b"'}, {}, {"user_id": 'a"b'}),
    "cookie": ({}, {"ajs_user_id": "u1", "ajs_anonymous_id": ADA}, {"user_id": "u1", "anonymous_id": ADA}),
    "quoted cookie": ({}, {"ajs_anonymous_id": f"%22{ADA}%22"}, {"anonymous_id": ADA}),
    "encoded cookie": ({}, {"ajs_user_id": ENCODED}, {"user_id": WORD}),
    "broken cookie": ({}, {"ajs_user_id": "100%"}, {"user_id": "100%"}),
    "null cookie": ({}, {"ajs_user_id": "null", "ajs_anonymous_id": ADA}, {"anonymous_id": ADA}),
    "another's cookie": ({}, {"not_ajs_user_id": "x", "ajs_anonymous_id": ADA}, {"anonymous_id": ADA}),
    "both places": ({"ajs_user_id": '"new"'}, {"ajs_user_id": "old"}, {"user_id": "new"}),
    "null, then a cookie": ({"ajs_user_id": "null"}, {"ajs_user_id": "u1"}, {"user_id": "u1"}),
    "legacy user": ({}, {"ajs_user": "%7B%22id%22%3A%22u%201%22%2C%22traits%22%3A%7B%7D%7D"}, {"user_id": "u 1"}),
    "legacy number": ({"ajs_user": f'{{"id":{LONG},"traits":{{}}}}'}, {}, {"user_id": LONG}),
    "legacy of nobody": ({"ajs_user": '{"id":null}', "ajs_anonymous_id": f'"{ADA}"'}, {}, {"anonymous_id": ADA}),
    "sio": ({}, {"_sio": f"{ADA}----u1"}, {"user_id": "u1", "anonymous_id": ADA}),
    "sio of nobody": ({}, {"_sio": f"{ADA}----"}, {"anonymous_id": ADA}),
}
"""What is in localStorage and in cookies, and who is asked about."""


@pytest.mark.parametrize("kind", LEFT)
def test_the_visitor_is_who_analytics_js_says(tab: Page, blog: Web, service: Service, kind: str) -> None:
    """From localStorage, else a cookie, else what older versions left; no digit of an id is lost."""
    stored, cookies, expected = LEFT[kind]
    items = "".join(f"localStorage.setItem({json.dumps(key)}, {json.dumps(value)});" for key, value in stored.items())
    baked = "".join(f"document.cookie = {json.dumps(f'{key}={value}')};" for key, value in cookies.items())
    tab.goto(blog.page(f"<script>{items}{baked}</script>{EARS}{WIDGET}{service.tag}"))
    heard(tab)
    assert service.asked[0].ids == expected


def test_where_storage_is_blocked_a_cookie_does(tab: Page, blog: Web, service: Service, complaints: list[str]) -> None:
    """As in a browser that lets no site store anything: what a page may still read is read."""
    blocked = """<script>for (const name of ["localStorage", "sessionStorage"])
      Object.defineProperty(window, name, { get() { throw new DOMException("blocked", "SecurityError"); } });
      </script>"""
    service.data["recommended-posts"] = []
    cookie = f"<script>document.cookie = 'ajs_anonymous_id={ADA}'</script>"
    tab.goto(blog.page(blocked + cookie + EARS + WIDGET + service.tag))
    assert heard(tab)[0]["name"] == "personalize:ready"
    assert service.asked[0].ids == {"anonymous_id": ADA}
    assert complaints == []


def test_where_all_is_blocked_the_fallback_stays(tab: Page, blog: Web, service: Service, complaints: list[str]) -> None:
    """In a frame that may do nothing but run scripts: nobody is there to ask about."""
    blog.page(EARS + WIDGET + service.tag, "/inner")
    tab.goto(blog.page(f'<iframe sandbox="allow-scripts" src="{blog.url}/inner"></iframe>'))
    frame = tab.frame(url="**/inner")
    assert frame is not None
    frame.wait_for_function("window.heard && heard.length")
    assert frame.evaluate("heard[0].code") == "no_visitor"
    assert service.asked == []
    assert complaints == []


def segment(blog: Web) -> str:
    """Return a script that runs Segment's own library, which may send nothing but to this page's server."""
    root = package(STANDALONE).parent
    for file in root.glob("*.js"):
        blog.answers[f"/umd/{file.name}"] = Answer(file.read_bytes(), "text/javascript")
    sending = {"apiKey": "k", "apiHost": f"{blog.url.removeprefix('http://')}/v1", "protocol": "http"}
    told = json.dumps({"writeKey": "k", "cdnSettings": {"integrations": {"Segment.io": sending}}})
    load = f"window.analytics = AnalyticsNext.AnalyticsBrowser.load({told})"
    return f'<script src="/umd/index.js"></script><script>{load}</script>'


REAL = {
    "nobody yet": "",
    "somebody": "real.identify('u 1');",
    "a long number as text": f"real.identify('{LONG}');",
    "unicode": f"real.identify('{WORD}');",
    "a quotation mark": "real.identify('a\"b');",
    "logged out": "real.identify('u1'); real.reset();",
    "an anonymous id of one's own": "real.setAnonymousId('Zoë 1');",
}
NO_STORAGE = "Object.defineProperty(window, 'localStorage', { get() { throw new Error(); } });"
NO_COOKIES = "Object.defineProperty(document, 'cookie', { get: () => '', set() {} });"
STORES = {"everywhere": "", "cookies alone": NO_STORAGE, "storage alone": NO_COOKIES}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("what", REAL)
def test_the_visitor_is_who_the_real_library_says(
    tab: Page, blog: Web, service: Service, what: str, store: str
) -> None:
    """Segment's own analytics.js has written it, and another page reads it."""
    library = segment(blog)
    block = f"<script>{STORES[store]}</script>"
    says = "window.is = [real.user().id() ?? '', real.user().anonymousId()];"
    written = f"<script>analytics.then(([real]) => {{ {REAL[what]} {says} }})</script>"
    tab.goto(blog.page(block + library + written, "/first"))
    tab.wait_for_function("window.is")
    user_id, anonymous_id = tab.evaluate("window.is")
    tab.goto(blog.page(block + EARS + WIDGET + service.tag))
    heard(tab)
    expected = {"user_id": user_id, "anonymous_id": anonymous_id}
    assert service.asked[0].ids == {name: value for name, value in expected.items() if value}


@pytest.mark.parametrize("block", ["", NO_STORAGE + NO_COOKIES])
def test_a_new_visitor_is_waited_for(tab: Page, blog: Web, service: Service, block: str) -> None:
    """On the first page there is no id before analytics.js has made one, in its memory if nowhere else."""
    service.data["recommended-posts"] = POSTS
    library = segment(blog)
    early = library.replace("window.analytics", "window.later = () => window.analytics")
    queue = "<script>window.analytics = { ready: (go) => { window.go = go; } }</script>"
    tab.goto(blog.page(f"<script>{block}</script>{queue}{EARS}{WIDGET}{early}{service.tag}"))
    tab.wait_for_function("'go' in window")
    tab.evaluate("() => { later(); analytics.ready(go); }")
    heard(tab)
    assert service.asked[0].ids == {"anonymous_id": tab.evaluate("analytics.instance.user().anonymousId()")}


def token_of(sub: str) -> str:
    """Return what looks like an identity token."""
    parts = ({"alg": "HS256"}, {"sub": sub, "name": "ÿ>?"})
    coded = [
        base64.urlsafe_b64encode(json.dumps(one, ensure_ascii=False).encode()).decode().rstrip("=") for one in parts
    ]
    return ".".join([*coded, "c2lnbmVk"])


@pytest.mark.parametrize("way", ["meta", "text", "callback", "promise"])
def test_a_token_says_who_is_visiting(tab: Page, blog: Web, service: Service, way: str) -> None:
    """Whatever else is stored; the browser asks once whether it may be sent (CORS preflight)."""
    token = token_of(f"user_id:{WORD}")
    told = {"text": f"'{token}'", "callback": f"() => '{token}'", "promise": f"async () => '{token}'"}
    head = f'<meta name="personalize-token" content="{token}">' if way == "meta" else ""
    script = "" if way == "meta" else f"<script>window.personalize = {{ token: {told[way]} }}</script>"
    tab.goto(blog.page(script + visitor(user_id="another") + EARS + WIDGET + service.tag, head=head))
    heard(tab)
    asked = service.asked[-1]
    assert asked.headers["Authorization"] == f"Bearer {token}"
    assert asked.ids == {"user_id": WORD, "anonymous_id": ADA}
    assert [one.method for one in service.asked] == ["OPTIONS", "GET"]


def test_a_token_of_an_anonymous_visitor_is_of_that_one_alone(tab: Page, blog: Web, service: Service) -> None:
    """No user is asked about whom it does not prove."""
    script = f"<script>window.personalize = {{ token: '{token_of('anonymous_id:a1')}' }}</script>"
    tab.goto(blog.page(script + visitor(user_id="u1") + EARS + WIDGET + service.tag))
    heard(tab)
    assert service.asked[-1].ids == {"anonymous_id": "a1"}


@pytest.mark.parametrize(
    ("token", "told"), [("() => { throw new Error('no'); }", "unavailable"), ("() => new Promise(() => {})", "timeout")]
)
def test_a_token_that_does_not_come_costs_the_page_nothing(
    tab: Page, blog: Web, service: Service, complaints: list[str], token: str, told: str
) -> None:
    """Nothing is asked in another's name; the fallback stays."""
    tab.goto(
        blog.page(f"<script>window.personalize = {{ token: {token} }}</script>{visitor()}{EARS}{WIDGET}{service.tag}")
    )
    assert heard(tab)[0]["code"] == told
    assert texts(tab) == ["Our newest posts", "are here."]
    assert service.asked == []
    assert complaints == []


@pytest.mark.parametrize(
    "way", ["{ user_id: 'x' }", "() => ({ user_id: 'x', anonymous_id: null })", "async () => ({ user_id: 'x' })"]
)
def test_a_page_may_say_who_is_visiting(tab: Page, blog: Web, service: Service, way: str) -> None:
    """Instead of analytics.js."""
    tab.goto(
        blog.page(f"<script>window.personalize = {{ visitor: {way} }}</script>{visitor()}{EARS}{WIDGET}{service.tag}")
    )
    heard(tab)
    assert service.asked[0].ids == {"user_id": "x"}


def test_a_user_without_proof_is_asked_about_as_who_they_were_before(tab: Page, blog: Web, service: Service) -> None:
    """What is refused for a user id is asked once more with the random id alone, which proves itself."""
    service.data["public"] = []
    tab.goto(
        blog.page(visitor(user_id="u1") + EARS + WIDGET + WIDGET.replace("recommended-posts", "public") + service.tag)
    )
    told = heard(tab, 2)
    assert {one["recipe"]: one["name"] for one in told} == {
        "public": "personalize:ready",
        "recommended-posts": "personalize:error",
    }
    assert [one.ids for one in service.asked] == [{"user_id": "u1", "anonymous_id": ADA}, {"anonymous_id": ADA}]
    assert service.asked[1].query["recipes"] == "0:recommended-posts"
