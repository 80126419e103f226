"""A feed's location becomes the provider `posts`."""

from pathlib import Path

import httpx
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from personalize.providers.posts import posts_from_feed
from personalize.telemetry.metrics import Metrics

FEED = Path(__file__).parents[2] / "data" / "feeds" / "wordpress.rss"
ITEM = b"<item><title>%s</title><link>%s</link></item>"


class Blog:
    """A blog at the transport, which answers each request with the next body, and the last one from then on."""

    def __init__(self, *bodies: bytes) -> None:
        self.bodies = list(bodies)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as `httpx.MockTransport` asks."""
        return httpx.Response(200, content=self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0])

    def client(self) -> httpx.AsyncClient:
        """Return a client to which this blog is the whole network."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self))


def rss(*items: bytes) -> bytes:
    """Return an RSS feed of items."""
    return b'<rss version="2.0"><channel>' + b"".join(items) + b"</channel></rss>"


def metrics() -> Metrics:
    """Return metrics on a registry of their own."""
    return Metrics(CollectorRegistry())


async def test_a_file_is_served_as_posts() -> None:
    """Posts are found by category, by name and by slug."""
    async with httpx.AsyncClient() as client, posts_from_feed(str(FEED), client, metrics()) as provider:
        assert provider.name == "posts"
        assert len(provider.items()) == 10
        assert provider.items().in_category("grose-mas")[0].title == "Größe & Maß note number 10"


async def test_relative_links_carry_no_credentials() -> None:
    """What a visitor may see is resolved against the feed's address without its secrets."""
    blog = Blog(rss(ITEM % (b"A", b"/a")))
    location = "https://user:hunter2@blog.example/feed/?token=hunter2"
    async with blog.client() as client, posts_from_feed(location, client, metrics()) as provider:
        (post,) = provider.items().newest()
    assert post.url == "https://blog.example/a"


async def test_a_changed_feed_changes_the_version() -> None:
    """The same posts in other bytes are no change; another title is one."""
    first = rss(ITEM % (b"A", b"https://blog.example/a"))
    edited = rss(ITEM % (b"B", b"https://blog.example/a"))
    async with Blog(first, first, first + b"\n", edited).client() as client:
        provider = posts_from_feed("https://blog.example/feed", client, metrics())
        versions = []
        for _ in range(4):
            async with provider:
                versions.append((provider.version, provider.items().newest()[0].title))
    assert versions == [(1, "A"), (1, "A"), (1, "A"), (2, "B")]


async def test_a_page_in_the_feeds_place_changes_nothing() -> None:
    """A login page where the feed was leaves the posts as they are, and the log says why without quoting it."""
    feed, page = rss(ITEM % (b"A", b"https://blog.example/a")), b"<html><body>Secret words</body></html>"
    async with Blog(feed, page).client() as client:
        provider = posts_from_feed("https://blog.example/feed?token=hunter2", client, metrics())
        with capture_logs() as events:
            async with provider:
                pass
            async with provider:
                pass
    assert [post.title for post in provider.items().newest()] == ["A"]
    assert events[-1]["reason"] == "https://blog.example/feed is not a whole RSS or Atom feed"
