"""JSON Feed and lists of posts become posts; what is not harmless does not."""

from datetime import UTC, datetime
from typing import Any

import pytest

from personalize.errors import ProviderFailed
from personalize.model import Post
from personalize.providers.fetch import Document
from personalize.providers.jsonfeed import read_json_feed, read_own_posts

FEED = Document("https://user:hunter2@notes.example/feed.json?token=hunter2", b"")


def fed(*items: object) -> list[Post]:
    return list(read_json_feed(items, FEED).items)


def own(*items: object) -> list[Post]:
    return list(read_own_posts(items, FEED).items)


def test_an_item_with_everything() -> None:
    """As https://www.jsonfeed.org/version/1.1/ has it."""
    item = {
        "id": "1",
        "url": "https://notes.example/1",
        "external_url": "https://elsewhere.example/",
        "title": "Salt  &amp; <pepper>",
        "summary": "In short.",
        "content_html": "<p>At length.</p>",
        "image": "https://cdn.example/1.png",
        "date_published": "2026-11-20T10:00:00+01:00",
        "date_modified": "2026-11-21T10:00:00Z",
        "tags": ["Data & Analytics", "Data & Analytics", " "],
        "_ours": {"any": "thing"},
    }
    assert fed(item) == [
        Post(
            title="Salt &amp; <pepper>",  # plain text in a JSON Feed: what looks like markup is what its author wrote
            url="https://notes.example/1",
            published_at=datetime(2026, 11, 20, 9, tzinfo=UTC),
            categories=("Data & Analytics",),
            excerpt="In short.",
            image="https://cdn.example/1.png",
        )
    ]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            {"url": "/a", "content_text": "Two\nlines."},
            Post(title="Two lines.", url="https://notes.example/a", excerpt="Two lines."),
        ),
        (
            {"external_url": "https://b.example/", "title": "B", "content_html": "<p>One.</p><script>x</script>"},
            Post(title="B", url="https://b.example/", excerpt="One."),
        ),
        (
            {"url": "/c", "title": "C", "banner_image": "https://cdn.example/c", "image": "javascript:x"},
            Post(title="C", url="https://notes.example/c", image="https://cdn.example/c"),
        ),
        (
            {"url": "/d", "title": "D", "date_published": "soon", "date_modified": "2026-11-20"},
            Post(title="D", url="https://notes.example/d", published_at=datetime(2026, 11, 20, tzinfo=UTC)),
        ),
    ],
)
def test_an_item_with_little(item: dict[str, Any], expected: Post) -> None:
    """What is missing is taken from what is there; links are resolved without the feed's secrets."""
    assert fed(item) == [expected]


@pytest.mark.parametrize(
    "item",
    [
        None,
        "text",
        {},
        {"title": "No link"},
        {"url": "/no-words"},
        {"url": "javascript:alert(1)", "title": "Bad"},
        {"url": "http://[::1", "title": "Bad"},
        {"url": 5, "title": "Bad"},
        {"url": "/a", "title": ["Bad"]},
    ],
)
def test_an_item_that_cannot_be_used_is_left_out(item: object) -> None:
    """The others stay; where there are none, the feed fails."""
    good = {"url": "/good", "title": "Good"}
    assert [post.title for post in fed(item, good)] == ["Good"]
    with pytest.raises(ProviderFailed, match=r"^https://notes.example/feed.json has 1 items"):
        fed(item)


def test_a_feed_without_items_is_empty() -> None:
    """A new blog has no posts."""
    assert fed() == own() == []


def test_our_own_shape_is_what_we_answer() -> None:
    """A post of an answer is a post of a file; only title and URL are required."""
    posts = [
        {
            "title": " A  title & more",
            "url": "https://notes.example/1",
            "published_at": "2026-11-20T10:00:00Z",
            "categories": ["News"],
            "excerpt": "word " * 100,
            "image": None,
        },
        {"title": "B", "url": "https://notes.example/2"},
    ]
    first, second = own(*posts)
    assert (first.title, first.published_at, first.categories) == (
        "A title & more",
        datetime(2026, 11, 20, 10, tzinfo=UTC),
        ("News",),
    )
    assert first.excerpt.endswith("word…")
    assert second == Post(title="B", url="https://notes.example/2")


@pytest.mark.parametrize(
    "post",
    [
        5,
        {"title": "No URL"},
        {"title": " ", "url": "https://notes.example/"},
        {"title": "Bad", "url": "data:text/html,x"},
        {"title": "Bad", "url": "https://notes.example/", "categories": "News"},
    ],
)
def test_a_post_that_cannot_be_used_is_left_out(post: object) -> None:
    """The others stay."""
    assert [one.title for one in own(post, {"title": "Good", "url": "https://notes.example/"})] == ["Good"]
