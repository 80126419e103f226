"""Locations become the provider `posts`; what each is, its content tells."""

import json
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from personalize import Posts
from personalize.providers.posts import posts_from
from personalize.telemetry.metrics import Metrics
from tests.unit.providers.blogs import Site, away, rss
from tests.unit.providers.test_wordpress import Blog

FEED = Path(__file__).parents[2] / "data" / "feeds" / "wordpress.rss"
BLOG = "https://blog.example"
A, B = ("A", f"{BLOG}/a"), ("B", f"{BLOG}/b")
JSON_FEED = {"version": "https://jsonfeed.org/version/1.1", "items": [{"url": f"{BLOG}/a", "title": "A"}]}


def metrics() -> Metrics:
    """Return metrics on a registry of their own."""
    return Metrics(CollectorRegistry())


async def served(site: Site, *locations: str, times: int = 1) -> tuple[int, Posts, list[str]]:
    """Return the version and the posts of a provider after some loads, and the failures that it told."""
    async with site.client() as client:
        provider = posts_from(locations, client, metrics())
        with capture_logs() as events:
            for _ in range(times):
                async with provider:
                    pass
    failures = [event["reason"] for event in events if event["event"] == "provider_failed"]
    return provider.version, provider.items(), failures


def titles(posts: Posts) -> list[str]:
    return sorted(post.title for post in posts.newest())


async def test_a_file_is_served_as_posts() -> None:
    """Posts are found by category, by name and by slug."""
    async with httpx.AsyncClient() as client, posts_from([str(FEED)], client, metrics()) as provider:
        assert provider.name == "posts"
        assert len(provider.items()) == 10
        assert provider.items().in_category("grose-mas")[0].title == "Größe & Maß note number 10"


async def test_relative_links_carry_no_credentials() -> None:
    """What a visitor may see is resolved against the feed's address without its secrets."""
    site = Site({"/feed/": rss(("A", "/a"))})
    _, posts, _ = await served(site, "https://user:hunter2@blog.example/feed/?token=hunter2")
    assert [post.url for post in posts.newest()] == [f"{BLOG}/a"]


async def test_a_changed_feed_changes_the_version() -> None:
    """The same posts in other bytes are no change; another title is one."""
    bodies = [rss(A), rss(A), rss(A) + b"\n", rss(("B", A[1]))]
    site = Site({"/feed": lambda _: bodies.pop(0)})
    async with site.client() as client:
        provider = posts_from([f"{BLOG}/feed"], client, metrics())
        versions = []
        for _ in range(4):
            async with provider:
                versions.append((provider.version, titles(provider.items())))
    assert versions == [(1, ["A"]), (1, ["A"]), (1, ["A"]), (2, ["B"])]


PAGE = b"<html><body>Secret words</body></html>"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (PAGE, "is a page that names neither a feed of its own nor WordPress's API"),
        (b'<html><link rel="alternate" type="application/rss+xml" href="/page">', "/page is a page that names neither"),
        (
            b'<html><link rel="alternate" type="application/rss+xml" href="/html">',
            "/html is a page where a feed should be",
        ),
        (b"", "is not a whole RSS or Atom feed"),
        (rss(A, B)[:-40], "is not a whole RSS or Atom feed"),
        (b'{"items": []}', "is neither a JSON Feed, nor a list of posts, nor WordPress's API"),
        (b'[{"title": ', "is not whole JSON"),
        (b"[" * 100_000, "is not whole JSON"),
        (b'{"a": "Secret words \xff"}', "is not whole JSON"),
        (b'[{"name": "Secret words"}]', "has 1 items, and none that can be used"),
    ],
)
async def test_what_is_no_posts_changes_nothing(body: bytes, reason: str) -> None:
    """A login page where the feed was leaves the posts as they are, and the log says why without quoting it."""
    bodies = [rss(A), body]
    elsewhere = b'<html><link rel="alternate" type="application/rss+xml" href="/feed">'
    site = Site({"/feed": lambda _: bodies.pop(0), "/page": PAGE, "/html": elsewhere})
    version, posts, [told] = await served(site, f"{BLOG}/feed?token=hunter2", times=2)
    assert (version, titles(posts)) == (1, ["A"])
    assert reason in told
    assert told.startswith("https://blog.example/")
    assert "Secret" not in told
    assert "hunter2" not in told


@pytest.mark.parametrize("body", [rss(), b"[]", b'{"version": "https://jsonfeed.org/version/1", "items": []}'])
async def test_a_whole_document_without_posts_is_believed(body: bytes) -> None:
    """A blog may be emptied."""
    bodies = [rss(A), body]
    version, posts, failures = await served(Site({"/feed": lambda _: bodies.pop(0)}), f"{BLOG}/feed", times=2)
    assert (version, len(posts), failures) == (2, 0, [])


async def test_several_sources_are_one_collection() -> None:
    """Of all kinds; of two posts with one URL the first source's stays."""
    site = Blog().site()
    site.answers |= {
        "/rss": rss(A, ("B of RSS", f"{BLOG}/b")),
        "/own": b"\xef\xbb\xbf "
        + json.dumps([{"title": "B of JSON", "url": f"{BLOG}/b", "categories": ["News"]}]).encode(),
        "/feed.json": json.dumps(JSON_FEED).replace("/a", "/c").replace('"A"', '"C"').encode(),
    }
    places = ("rss", "feed.json", "own", "wp-json/wp/v2/posts?per_page=3")
    _, posts, failures = await served(site, *(f"{BLOG}/{place}" for place in places))
    assert failures == []
    assert [title for title in titles(posts) if len(title) < 10] == ["A", "B of RSS", "C"]
    assert posts.in_category("data-analytics")
    assert len(posts) == 6


async def test_a_source_that_fails_keeps_its_last_posts() -> None:
    """And only that one: the others change."""
    bodies = [rss(B), rss(("B2", B[1]))]
    site = Site({"/a": rss(A), "/b": lambda _: bodies.pop(0)})
    async with site.client() as client:
        provider = posts_from([f"{BLOG}/a", f"{BLOG}/b"], client, metrics())
        async with provider:
            assert titles(provider.items()) == ["A", "B"]
        with away(site, "/a"), capture_logs() as events:
            async with provider:
                assert titles(provider.items()) == ["A", "B2"]
    assert "https://blog.example/a answered 503" in [event.get("reason") for event in events]


ROOTS = [{"namespaces": ["oembed/1.0", "wp/v2"]}, {"namespace": "wp/v2", "routes": {}}]


@pytest.mark.parametrize("root", ROOTS)
async def test_wordpress_is_known_by_its_root(root: dict[str, object]) -> None:
    """The root is asked for once; from then on its posts are."""
    site = Blog().site()
    site.answers["/wp-json/"] = json.dumps(root).encode()
    _, posts, failures = await served(site, f"{BLOG}/wp-json/", times=3)
    assert (len(posts), failures) == (3, [])
    assert [path.partition("?")[0] for path in site.asked].count("/wp-json/") == 1


async def test_wordpress_is_found_from_its_page() -> None:
    """And found anew after a failure: it may have moved."""
    site = Blog().site()
    link = {"Link": '<https://elsewhere.example/wp-json/>; rel="https://api.w.org/"'}
    site.answers["/"] = httpx.Response(200, content=b"<html></html>", headers=link)
    async with site.client() as client:
        provider = posts_from([f"{BLOG}/"], client, metrics())
        async with provider:
            assert len(provider.items()) == 3
        with away(site, "/wp-json/wp/v2/posts"):
            async with provider:
                assert len(provider.items()) == 3
        async with provider:
            pass
    assert [path for path in site.asked if path == "/"] == ["/", "/"]


async def test_a_page_leads_to_its_feed() -> None:
    """The page is asked for once, and its feed from then on."""
    site = Site({"/": b'<html><link rel="alternate" type="application/rss+xml" href="/feed"></html>', "/feed": rss(A)})
    _, posts, _ = await served(site, BLOG + "/", times=3)
    assert titles(posts) == ["A"]
    assert site.asked == ["/", "/feed", "/feed", "/feed"]


NAMES_BOTH = (
    b'<html><link rel="https://api.w.org/" href="/wp-json/">'
    b'<link rel="alternate" type="application/rss+xml" href="/feed"></html>'
)


async def test_an_api_that_is_closed_leaves_the_feed() -> None:
    """Pages go on naming it, and the feed is for everybody; what was found stays found."""
    closed = httpx.Response(401, json={"code": "rest_not_logged_in"})
    site = Site({"/": NAMES_BOTH, "/feed": rss(A), "/wp-json/wp/v2/posts": lambda _: closed})
    _, posts, failures = await served(site, BLOG + "/", times=2)
    assert (titles(posts), failures) == (["A"], [])
    assert [path.partition("?")[0] for path in site.asked] == ["/", "/wp-json/wp/v2/posts", "/feed", "/feed"]


async def test_an_api_that_is_away_is_no_reason_for_the_feed() -> None:
    """It has more to tell, and comes back."""
    site = Site({"/": NAMES_BOTH, "/feed": rss(A), "/wp-json/wp/v2/posts": httpx.Response(503)})
    _, posts, failures = await served(site, BLOG + "/")
    assert titles(posts) == []
    assert "answered 503" in failures[0]


async def test_a_file_of_wordpress_posts_is_not_its_api() -> None:
    """There is nobody to ask for the categories' names."""
    site = Site({"/posts.json": json.dumps([{"title": {"rendered": "A"}, "link": f"{BLOG}/a"}]).encode()})
    _, posts, [reason] = await served(site, f"{BLOG}/posts.json")
    assert (len(posts), reason) == (0, f"{BLOG}/posts.json has 1 items, and none that can be used")


async def test_hugos_posts_get_their_categories() -> None:
    """Their feeds are asked for after the blog's own."""
    site = Site(
        {
            "/index.xml": rss(A, B, generator="Hugo -- gohugo.io"),
            "/categories/index.xml": rss(("News", f"{BLOG}/categories/news/")),
            "/categories/news/index.xml": rss(A),
        }
    )
    _, posts, _ = await served(site, f"{BLOG}/index.xml")
    assert [post.title for post in posts.in_category("news")] == ["A"]
    assert titles(posts) == ["A", "B"]
