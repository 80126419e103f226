"""The demo blog and shop."""

from __future__ import annotations

import json
import re
from html import escape, unescape
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import feedparser
import jwt
import pytest

from personalize.sandbox.app import create_sandbox
from personalize.sandbox.demo import content, images
from personalize.sandbox.demo.content import Post, Product
from personalize.sandbox.demo.markup import Markup, Templates
from personalize.sandbox.demo.pages import Pages
from tests.tokens import SECRET
from tests.unit.sandbox.conftest import StillClock, talking_to

if TYPE_CHECKING:
    import httpx

NASTY = "<script>alert(\"x\")</script> & 'co' $title"
CONTENT = content.load()
SCRIPT = "http://127.0.0.1:8000/personalize.js"


def headings(page: str) -> list[str]:
    """Return the texts of a page's main headings."""
    return [unescape(text) for text in re.findall("<h1>(.*?)</h1>", page)]


def properties(page: str) -> Any:
    """Return what a page tells its script about its subject."""
    return json.loads(unescape(re.findall('data-properties="([^"]*)"', page)[0]))


def links(page: str) -> set[str]:
    """Return the addresses of what a page names, without fragments; the service's script is not the site's own."""
    urls = [unescape(url) for url in re.findall(' (?:href|src)="([^"]*)"', page)]
    return {url.partition("#")[0] for url in urls if not url.startswith("data:") and url != SCRIPT}


def test_there_is_enough_to_recommend() -> None:
    """There are at least 44 posts in seven categories and 32 products, and no two share a title."""
    posts, products = CONTENT.posts.values(), CONTENT.products.values()
    categories = {post.category for post in posts}
    assert len({post.title for post in posts}) == len(posts) >= 44
    assert len(categories) >= 7
    assert "Data & Analytics" in categories
    assert len({product.name for product in products}) == len(products) >= 32
    assert len({product.category for product in products}) >= 5


async def test_the_feed_says_what_the_blog_has(http: httpx.AsyncClient) -> None:
    """A feed reader finds every post, newest first, with its title, category, date and absolute link."""
    answer = await http.get("/blog/feed.xml")
    assert answer.headers["Content-Type"] == "application/rss+xml; charset=utf-8"
    feed = feedparser.parse(answer.content)
    assert not feed.bozo
    posts = list(CONTENT.posts.values())
    assert [entry.title for entry in feed.entries] == [post.title for post in posts]
    assert [entry.tags[0].term for entry in feed.entries] == [post.category for post in posts]
    assert [entry.published_parsed[:6] for entry in feed.entries] == [
        post.published.timetuple()[:6] for post in sorted(posts, key=lambda post: post.published, reverse=True)
    ]
    assert [entry.link for entry in feed.entries] == [f"http://sandbox.test:8100{post.path}" for post in posts]
    assert any("&" in post.title and '"' in post.title for post in posts)


async def test_the_feed_is_rss_2(http: httpx.AsyncClient) -> None:
    """Dates are those of RFC 822, in GMT, and the document is RSS 2.0."""
    root = ET.fromstring((await http.get("/blog/feed.xml")).content)
    assert (root.tag, root.get("version")) == ("rss", "2.0")
    assert all(str(date.text).endswith(" GMT") for date in root.iter("pubDate"))


async def test_a_feed_that_did_not_change_is_not_sent_again(http: httpx.AsyncClient) -> None:
    """A poller that sends the entity tag gets a 304."""
    etag = (await http.get("/blog/feed.xml")).headers["ETag"]
    answer = await http.get("/blog/feed.xml", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content) == (304, b"")


async def test_every_link_of_the_site_works(http: httpx.AsyncClient) -> None:
    """Each page, picture, style and script that a page names is served, and none is from elsewhere."""
    seen: set[str] = set()
    waiting = ["/"]
    while waiting:
        path = waiting.pop()
        answer = await http.get(path)
        assert answer.status_code == 200, path
        seen.add(path)
        if answer.headers["Content-Type"].startswith("text/html"):
            waiting += links(answer.text) - seen - set(waiting)
    assert all(path.startswith("/") and not path.startswith("//") for path in seen)
    assert {post.path for post in CONTENT.posts.values()} <= seen
    assert {product.image_path for product in CONTENT.products.values()} <= seen


async def test_a_post_tells_its_script_what_was_viewed(http: httpx.AsyncClient) -> None:
    """A post's page carries the properties of its `Post Viewed`, exactly."""
    for post in CONTENT.posts.values():
        page = (await http.get(post.path)).text
        assert headings(page) == [post.title]
        assert properties(page) == post.viewed("http://sandbox.test:8100")
    assert set(properties(page)) == {"title", "url", "slug", "category"}


async def test_a_product_tells_its_script_what_was_viewed(http: httpx.AsyncClient) -> None:
    """A product's page carries the properties of its `Product Viewed`, exactly."""
    for product in CONTENT.products.values():
        page = (await http.get(product.path)).text
        assert properties(page) == product.viewed("http://sandbox.test:8100")
    assert set(properties(page)) == {"product_id", "name", "url", "image_url", "price", "category"}


async def test_products_are_served_as_json(http: httpx.AsyncClient) -> None:
    """The catalogue lists every product with absolute URLs and a description."""
    products = (await http.get("/shop/products.json")).json()
    assert [product["product_id"] for product in products] == list(CONTENT.products)
    assert products[0]["image_url"].startswith("http://sandbox.test:8100/shop/images/")
    assert all(product["description"] for product in products)


@pytest.mark.parametrize("path", ["/nothing", "/blog/nothing", "/shop/nothing", "/shop/images/nothing.svg"])
async def test_what_is_not_there_is_said_kindly(http: httpx.AsyncClient, path: str) -> None:
    """An unknown page is a 404 in the site's own look."""
    answer = await http.get(path)
    assert answer.status_code == 404
    assert "Back to the start" in answer.text


def test_everything_in_a_page_is_escaped() -> None:
    """Content with markup in it is shown as text, in every page and in the script's properties."""
    post = Post("nasty", NASTY, next(iter(CONTENT.posts.values())).published, NASTY, NASTY, NASTY)
    product = Product("nasty", NASTY, 1.0, NASTY, NASTY)
    things = content.Content({"nasty": post}, {"nasty": product})
    pages = Pages(things, Templates(), service_url=NASTY, write_key=NASTY)
    for page in (pages.home(), pages.shop(), pages.post(post, "http://x"), pages.product(product, "http://x")):
        assert escape(NASTY) in page
        assert page.count("<script") == 2
    assert headings(pages.post(post, "http://x")) == [NASTY]
    assert properties(pages.product(product, "http://x"))["name"] == NASTY


def test_a_picture_is_well_formed_and_stays_the_same() -> None:
    """A product's picture is an SVG that names it, whatever its name, and is the same each time."""
    product = Product("nasty", NASTY, 1.0, NASTY, NASTY)
    drawn = images.svg(product, Templates())
    assert drawn == images.svg(product, Templates())
    assert ET.fromstring(drawn).get("aria-label") == NASTY


def test_markup_is_not_escaped_twice() -> None:
    """A value that is markup already goes into a page as it is."""
    assert Templates().render("paragraph.html", text="&") == "<p>&amp;</p>"
    assert Templates().render("paragraph.html", text=Markup("<b>&amp;</b>")) == "<p><b>&amp;</b></p>"


async def test_the_back_end_vouches_for_who_has_logged_in(clock: StillClock) -> None:
    """For a quarter of an hour, to a service that knows its key; without one it vouches for nobody."""
    async with talking_to(create_sandbox(login=("web", SECRET), clock=clock)) as sandbox:
        token = (await sandbox.http.get("/login/token")).text
    claims = jwt.decode(token, SECRET, ["HS256"], audience="personalize", options={"verify_exp": False})
    assert claims == {"sub": "user_id:ada", "aud": "personalize", "exp": int(clock().timestamp()) + 900}
    assert jwt.get_unverified_header(token)["kid"] == "web"


async def test_without_a_key_nobody_is_vouched_for(http: httpx.AsyncClient) -> None:
    """The demo then has nobody who has logged in."""
    assert (await http.get("/login/token")).status_code == 404


async def test_the_script_never_writes_markup(http: httpx.AsyncClient) -> None:
    """The site's script fills in texts only."""
    script = (await http.get("/static/demo.js")).text
    assert "textContent" in script
    assert not any(word in script for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"))
