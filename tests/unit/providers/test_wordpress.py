"""WordPress's API, as it answers, becomes posts with the names of their categories."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from personalize.errors import ProviderFailed
from personalize.model import Post
from personalize.providers.documents import Documents
from personalize.providers.feed import MAX_POSTS
from personalize.providers.wordpress import READ_WHOLE, Api, WordPress
from tests.unit.providers.blogs import Site

DATA = Path(__file__).parents[2] / "data" / "wordpress"
"""As WordPress 6.1 answered."""

POSTS, CATEGORIES = (json.loads((DATA / f"{name}.json").read_text()) for name in ("posts", "categories"))
ROOT = Api("https://blog.example/wp-json/")


@dataclass
class Blog:
    """The API of a WordPress, with its totals in headers unless something in front keeps them back."""

    posts: list[Any] = field(default_factory=lambda: list(POSTS))
    categories: list[Any] = field(default_factory=lambda: list(CATEGORIES))
    totals: bool = True

    def site(self) -> Site:
        """Return the site that answers."""
        routes = {"posts": self._of(lambda: self.posts), "categories": self._of(lambda: self.categories)}
        return Site({f"/wp-json/wp/v2/{name}": answer for name, answer in routes.items()})

    def _of(self, collection: Callable[[], list[Any]]) -> Callable[[httpx.Request], httpx.Response]:
        def answer(request: httpx.Request) -> httpx.Response:
            asked, there = request.url.params, collection()
            size, page = int(asked["per_page"]), int(asked.get("page", 1))
            shown = there[(page - 1) * size : page * size]
            if page > 1 and not shown:
                return httpx.Response(400, json={"code": "rest_post_invalid_page_number"})
            pages = -(-len(there) // size)
            totals = {"X-WP-Total": str(len(there)), "X-WP-TotalPages": str(pages)} if self.totals else {}
            return httpx.Response(200, json=shown, headers=totals)

        return answer


async def read(site: Site, api: Api = ROOT) -> list[Post]:
    """Return the posts of a site."""
    async with site.client() as client:
        return list((await WordPress(api, Documents(client)).posts()).items)


def post(number: int, **told: object) -> dict[str, object]:
    """Return a post as the API tells it."""
    return {"link": f"https://blog.example/{number}", "title": {"rendered": f"Post {number}"}, **told}


async def test_posts_have_the_names_of_their_categories() -> None:
    """Titles and excerpts are text, dates are UTC."""
    hello, umlauts, data = await read(Blog().site())
    assert hello == Post(
        title="Hello world!",
        url="https://blog.example.com/2026/11/hello-world/",
        published_at=datetime(2026, 11, 22, 4, 54, 55, tzinfo=UTC),
        categories=("Uncategorized",),
        excerpt="Welcome to WordPress. This is your first post. Edit or delete it, then start writing!",
    )
    assert umlauts.title == "Größe & Maß note number 10"
    assert umlauts.categories == ("Größe & Maß", "Growth")
    assert "Data & Analytics" in data.categories


async def test_slugs_come_with_the_names() -> None:
    """As WordPress keeps them: other letters are encoded there."""
    blog = Blog(categories=[*CATEGORIES, {"id": 99, "name": "日本", "slug": "%e6%97%a5%e6%9c%ac"}, {"id": "?"}])
    async with blog.site().client() as client:
        slugs = (await WordPress(ROOT, Documents(client)).posts()).slugs
    assert slugs["data-analytics"] == "Data & Analytics"
    assert slugs["日本"] == "日本"


@pytest.mark.parametrize(
    ("media", "image"),
    [
        ([{"source_url": "https://cdn.example/a.png"}], "https://cdn.example/a.png"),
        ([{"code": "rest_forbidden", "data": {"status": 401}}], None),
        ([{"source_url": "javascript:alert(1)"}], None),
        ([], None),
    ],
)
async def test_the_embedded_picture_is_the_image(media: list[Any], image: str | None) -> None:
    """Of the featured media that may be seen."""
    [found] = await read(Blog([post(1, _embedded={"wp:featuredmedia": media})]).site())
    assert found.image == image


@pytest.mark.parametrize("totals", [True, False])
async def test_all_pages_are_read(*, totals: bool) -> None:
    """Also where a proxy keeps back how many there are."""
    site = Blog([post(number) for number in range(200)], totals=totals).site()
    assert [one.url for one in await read(site)] == [f"https://blog.example/{number}" for number in range(200)]


async def test_a_large_blog_is_read_up_to_the_cap() -> None:
    """Beyond that it is an archive."""
    site = Blog([post(number) for number in range(MAX_POSTS + 50)]).site()
    assert len(await read(site)) == MAX_POSTS
    assert len([path for path in site.asked if "posts" in path]) == 1 + 10


@pytest.mark.parametrize("told", [5, {}, {"link": "javascript:x"}, post(2, title="text"), post(2, categories=["a"])])
async def test_a_post_that_cannot_be_used_is_left_out(told: object) -> None:
    """The others stay."""
    assert [one.title for one in await read(Blog([told, post(1)]).site())] == ["Post 1"]


async def test_what_has_not_changed_is_not_read_again() -> None:
    """One small question a poll, and everything after ten; another change or number of posts is noticed at once."""
    blog = Blog([post(1, modified_gmt="2026-11-20T10:00:00")])
    site = blog.site()
    async with site.client() as client:
        wordpress = WordPress(ROOT, Documents(client))
        first = await wordpress.posts()
        assert len(site.asked) == 3
        for _ in range(READ_WHOLE - 1):
            assert await wordpress.posts() is first
        assert len(site.asked) == 3 + READ_WHOLE - 1
        assert (await wordpress.posts()) == first
        assert len(site.asked) == 3 + READ_WHOLE - 1 + 3
        blog.posts.append(post(2))
        assert len((await wordpress.posts()).items) == 2
        blog.posts[0] = post(1, modified_gmt="2026-11-21T10:00:00", title={"rendered": "Edited"})
        assert (await wordpress.posts()).items[0].title == "Edited"


async def test_a_blog_may_be_emptied() -> None:
    """No posts are an answer."""
    assert await read(Blog([]).site()) == []


@pytest.mark.parametrize("answer", [b'{"code": "rest_no_route"}', b"<html>", b"[" * 100_000, httpx.Response(401)])
async def test_what_is_no_answer_fails(answer: bytes | httpx.Response) -> None:
    """And so does an error of a plugin that closes the API."""
    site = Blog().site()
    site.answers["/wp-json/wp/v2/categories"] = answer
    with pytest.raises(ProviderFailed, match="/wp-json/wp/v2/categories"):
        await read(site)


async def test_a_refused_first_page_is_no_end() -> None:
    """Only after posts came, 400 says that there are no more."""
    site = Blog().site()
    site.answers["/wp-json/wp/v2/posts"] = httpx.Response(400)
    with pytest.raises(ProviderFailed, match="answered 400"):
        await read(site)


@pytest.mark.parametrize(
    ("location", "path", "query"),
    [
        ("https://blog.example/wp-json/", "/wp-json/wp/v2/posts", []),
        ("https://blog.example/wp-json", "/wp-json/wp/v2/posts", []),
        ("https://blog.example/a/wp-json/wp/v2", "/a/wp-json/wp/v2/posts", []),
        ("https://blog.example/wp-json/wp/v2/notes/", "/wp-json/wp/v2/notes", []),
        (
            "https://blog.example/wp-json/wp/v2/posts?categories=5&per_page=3&tags[]=1&tags[]=2",
            "/wp-json/wp/v2/posts",
            [("categories", "5"), ("tags[]", "1"), ("tags[]", "2")],
        ),
        ("https://blog.example/?rest_route=/", "/", [("rest_route", "/wp/v2/posts")]),
        ("https://blog.example/index.php?rest_route=/wp/v2", "/index.php", [("rest_route", "/wp/v2/posts")]),
        (
            "https://blog.example/?rest_route=%2Fwp%2Fv2%2Fnotes&lang=de",
            "/",
            [("rest_route", "/wp/v2/notes"), ("lang", "de")],
        ),
    ],
)
def test_an_api_is_found_from_any_of_its_addresses(location: str, path: str, query: list[tuple[str, str]]) -> None:
    """With pretty and with plain permalinks; what the operator asks for stays, what is ours does not."""
    api = Api.at(location)
    parts = urlsplit(api.url(api.route, {"page": 2}))
    assert (parts.path, parse_qsl(parts.query)) == (path, [*query, ("page", "2")])
    categories = urlsplit(api.url("wp/v2/categories", {}))
    assert "categories" in (categories.path if "rest_route" not in categories.query else categories.query)
    assert "tags" not in categories.query


def test_credentials_go_to_the_api_too() -> None:
    """A blog behind basic authentication can be read."""
    assert Api.at("https://user:pw@blog.example/wp-json/").url("wp/v2/posts", {}) == (
        "https://user:pw@blog.example/wp-json/wp/v2/posts"
    )
