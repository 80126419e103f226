"""Hugo's feeds of single categories say what belongs where."""

from pathlib import Path

import httpx
import pytest

from personalize.errors import ProviderFailed
from personalize.model import Post
from personalize.providers.batch import Batch
from personalize.providers.categories import MAX_CATEGORIES, Uncategorized, categorized, is_uncategorized
from personalize.providers.documents import Documents
from personalize.providers.feed import MAX_POSTS, read_feed
from personalize.providers.fetch import Document
from tests.unit.providers.blogs import Site, away, rss

FEEDS = Path(__file__).parents[2] / "data" / "feeds"
HOST = "https://notes.example.com"
BOTH = [("Databases", f"{HOST}/categories/databases/"), ("Größe", f"{HOST}/categories/gr%C3%B6%C3%9Fe/")]


def captured(name: str) -> bytes:
    return (FEEDS / name).read_bytes()


@pytest.fixture
def site() -> Site:
    """Return a site as Hugo lays it out, with what Hugo wrote."""
    return Site(
        {
            "/categories/index.xml": rss(*BOTH),
            "/categories/databases/index.xml": captured("hugo-category-databases.rss"),
            "/categories/größe/index.xml": rss(("Note 17", f"{HOST}/posts/p17/"), ("Only here", f"{HOST}/posts/only/")),
        }
    )


async def read(site: Site, location: str = f"{HOST}/index.xml") -> Batch[Post]:
    """Return the posts of the captured feed with their categories."""
    feed = Uncategorized(read_feed(Document(location, captured("hugo.rss"))), location)
    async with site.client() as client:
        return await categorized(feed, Documents(client))


async def test_posts_get_the_categories_whose_feeds_have_them(site: Site) -> None:
    """By name; a post of such a feed alone comes along, and one of none has none."""
    batch = await read(site)
    by_title = {post.title: post.categories for post in batch.items}
    assert len(batch.items) == 25
    assert by_title['Note 17: on compilers & "quotes"'] == ("Größe",)
    assert by_title["Only here"] == ("Größe",)
    assert [title for title, categories in by_title.items() if categories == ("Databases",)] == [
        title for title in by_title if "databases" in title
    ]
    assert batch.slugs == {"databases": "Databases", "größe": "Größe"}


@pytest.mark.parametrize("location", [f"{HOST}/posts/index.xml", f"{HOST}/a/b/index.xml?x=1"])
async def test_the_list_is_looked_for_above_the_feed(site: Site, location: str) -> None:
    """A section's feed lies deeper than the categories."""
    assert any(post.categories for post in (await read(site, location)).items)


async def test_a_site_without_categories_keeps_its_posts() -> None:
    """Where there is no list, there is nothing more to ask for."""
    site = Site()
    assert len((await read(site, f"{HOST}/a/index.xml")).items) == 24
    assert site.asked == ["/a/categories/index.xml", "/categories/index.xml"]


async def test_a_category_without_a_feed_is_passed_over(site: Site) -> None:
    """A theme may write none."""
    del site.answers["/categories/databases/index.xml"]
    assert {category for post in (await read(site)).items for category in post.categories} == {"Größe"}


async def test_a_list_that_is_away_fails_the_whole(site: Site) -> None:
    """Posts without their categories must not replace those that have them."""
    with away(site, "/categories/index.xml"), pytest.raises(ProviderFailed, match="answered 503"):
        await read(site)


async def test_a_category_that_is_away_costs_no_other(site: Site) -> None:
    """Before it was ever read, the posts are there without it; afterwards they keep it."""
    feed = Uncategorized(read_feed(Document(f"{HOST}/index.xml", captured("hugo.rss"))), f"{HOST}/index.xml")
    async with site.client() as client:
        documents = Documents(client)
        with away(site, "/categories/databases/index.xml"):
            cold = await categorized(feed, documents)
        whole = await categorized(feed, documents)
        with away(site, "/categories/databases/index.xml"):
            kept = await categorized(feed, documents)
    assert {category for post in cold.items for category in post.categories} == {"Größe"}
    assert len(cold.items) == 25
    assert {category for post in whole.items for category in post.categories} == {"Größe", "Databases"}
    assert kept == whole


async def test_a_category_may_be_called_like_a_scheme(site: Site) -> None:
    """Its feed is asked for where the others are: a list opens no file of this machine."""
    site.answers["/categories/index.xml"] = rss(("Files", f"{HOST}/categories/file:/"), *BOTH)
    await read(site)
    assert "/categories/file:/index.xml" in site.asked


async def test_a_list_does_not_choose_what_is_asked(site: Site) -> None:
    """Of its links only the last folder counts."""
    links = ("https://evil.example/x", "http://169.254.169.254/latest/", f"{HOST}/categories/..", f"{HOST}/")
    site.answers["/categories/index.xml"] = rss(*((link, link) for link in links))
    hosts: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(404)

    site.answers["/categories/x/index.xml"] = answer
    await read(site)
    assert site.asked == ["/categories/index.xml", "/categories/x/index.xml", "/categories/latest/index.xml"]
    assert hosts == ["notes.example.com"]


async def test_categories_and_posts_are_bounded(site: Site) -> None:
    """A site with a category a post is not asked for each."""
    site.answers["/categories/index.xml"] = rss(*((f"C{n}", f"{HOST}/categories/c{n}/") for n in range(60)))
    site.answers["/categories/c0/index.xml"] = rss(*((f"P{n}", f"{HOST}/p{n}") for n in range(MAX_POSTS)))
    assert len((await read(site)).items) == MAX_POSTS
    assert len(site.asked) == 1 + MAX_CATEGORIES


@pytest.mark.parametrize(
    ("location", "body", "expected"),
    [
        (f"{HOST}/index.xml", captured("hugo.rss"), True),
        (f"{HOST}/index.xml", rss(("A", f"{HOST}/a"), generator="Hugo 0.150"), True),
        (f"{HOST}/index.xml", rss(("A", f"{HOST}/a"), generator="Jekyll"), False),
        ("/srv/index.xml", captured("hugo.rss"), False),
        (f"{HOST}/index.xml", captured("hugo.rss").replace(b"<guid>", b"<category>A</category><guid>"), False),
    ],
)
def test_only_hugos_own_feed_is_completed(location: str, body: bytes, *, expected: bool) -> None:
    """Not one that names categories, not another generator's, and not a file's, which has no neighbours on the web."""
    document = Document(location, body)
    assert is_uncategorized(document, read_feed(document)) is expected
