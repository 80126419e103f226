"""Posts of the real WordPress, with pretty and with plain permalinks."""

from pathlib import Path

import httpx
from prometheus_client import CollectorRegistry

from personalize import Posts
from personalize.providers.posts import posts_from
from personalize.telemetry.metrics import Metrics
from tests.wordpress import wordpress


async def read(*locations: str, times: int = 1) -> Posts:
    """Return what a provider of these locations holds after some loads."""
    async with httpx.AsyncClient(trust_env=False) as client:
        provider = posts_from(locations, client, Metrics(CollectorRegistry()))
        provider.first_wait = 20.0
        for _ in range(times):
            async with provider:
                posts = provider.items()
    return posts


def check(posts: Posts) -> None:
    """All pages, names of categories and their slugs, text for titles, a picture, and no host but the blog's own."""
    assert len(posts) == 105
    figures = posts.in_category("Data & Analytics")
    assert len(figures) == 5
    assert posts.in_category("figures") == figures
    assert figures[0].title == "Größe & Maß 104"
    assert figures[0].excerpt == "Body of note 104."
    assert figures[0].categories == ("Data & Analytics",)
    assert figures[0].image is not None
    assert figures[0].image.endswith("/a.png")
    assert [post.image for post in figures[1:]] == [None] * 4


async def test_wordpress_with_pretty_permalinks(tmp_path: Path, database: Path) -> None:
    """By the site's URL and by the API's; a second load of what has not changed asks for one thing only."""
    with wordpress(tmp_path, database, "/%postname%/") as blog:
        for location in (f"{blog.url}/", f"{blog.url}/wp-json/", f"{blog.url}/wp-json/wp/v2/posts"):
            check(await read(location))
        before = len(blog.asked)
        await read(f"{blog.url}/wp-json/wp/v2/", times=2)
        asked = blog.asked[before:]
        feed = await read(f"{blog.url}/feed/")
        figures = await read(f"{blog.url}/wp-json/wp/v2/posts?categories=2")
    assert [path.partition("?")[0].removeprefix("/wp-json/wp/v2") for path in asked] == [
        *("/", "/posts", "/categories", "/posts", "/posts"),
        "/posts",
    ]
    assert len(feed) == 10
    assert feed.in_category("Data & Analytics")[0].title == "Größe & Maß 104"
    assert len(figures) == 5


async def test_wordpress_with_plain_permalinks(tmp_path: Path, database: Path) -> None:
    """By the site's URL and by the API's, whose routes are in the query."""
    with wordpress(tmp_path, database, "") as blog:
        for location in (blog.url, f"{blog.url}/?rest_route=/", f"{blog.url}/index.php?rest_route=/wp/v2/posts"):
            check(await read(location))
        assert not [path for path in blog.asked if path.startswith("/wp-json")]
