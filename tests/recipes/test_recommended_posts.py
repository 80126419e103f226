"""Recent posts in the category the reader reads most."""

from datetime import UTC, datetime

import pytest

from personalize import Post, Posts
from personalize.declare import NO_DEFAULT
from personalize.registry import load

recommended_posts = load(["shipped"])["recommended-posts"]


def post(day: int, *categories: str) -> Post:
    """Return a post of a day, whose title is the day."""
    return Post(
        title=str(day),
        url=f"https://blog.example/{day}",
        categories=categories,
        published_at=datetime(2026, 11, day, tzinfo=UTC),
    )


POSTS = Posts([post(1, "Data & Analytics"), post(2, "News"), post(3, "Data & Analytics"), *map(post, range(4, 11))])


def titles(posts: list[Post]) -> list[str]:
    return [one.title for one in posts]


@pytest.mark.parametrize("category", ["Data & Analytics", "data & analytics", "data-analytics"])
def test_posts_are_of_the_favourite_category(category: str) -> None:
    """By its name or its slug, newest first, and no others to fill up."""
    assert titles(recommended_posts(POSTS, category=category)) == ["3", "1"]


@pytest.mark.parametrize("category", [None, "", "Gardening"])
def test_posts_are_the_newest_without_a_category_that_has_any(category: str | None) -> None:
    """Five of them, unless the page says how many."""
    assert titles(recommended_posts(POSTS, category=category)) == ["10", "9", "8", "7", "6"]


@pytest.mark.parametrize(("limit", "shown"), [(1, ["3"]), (2, ["3", "1"]), (20, ["3", "1"])])
def test_posts_are_at_most_as_many_as_the_limit(limit: int, shown: list[str]) -> None:
    """The newest of the category."""
    assert titles(recommended_posts(POSTS, category="data-analytics", limit=limit)) == shown


def test_a_blog_without_posts_gives_none() -> None:
    """An empty list, not a failure."""
    assert recommended_posts(Posts(), category="News") == []


def test_anybody_may_ask() -> None:
    """It tells nothing about a person, and needs the blog and one trait."""
    assert recommended_posts.access == "public"
    assert recommended_posts.providers == {"posts"}
    assert recommended_posts.sections == {"traits"}
    assert recommended_posts.params["limit"].default is not NO_DEFAULT


@pytest.mark.parametrize(
    "reading", ["https://blog.example/3", "https://blog.example/3/", "https://BLOG.example/3?from=home#comments"]
)
def test_the_post_being_read_is_not_recommended(reading: str) -> None:
    """However its URL is written; if it is the only one of its category, the newest ones are."""
    assert titles(recommended_posts(POSTS, category="data-analytics", exclude=reading)) == ["1"]
    only = Posts([post(3, "Tea"), post(4)])
    assert titles(recommended_posts(only, category="tea", exclude=reading)) == ["4"]


@pytest.mark.parametrize(
    ("url", "reading", "same"),
    [
        ("https://blog.example.com/a", "https://blog.example.com/a/?utm_source=mail#top", True),
        ("https://blog.example.com/a/", "http://blog.example.com/a", True),
        ("https://blog.example.com/a?utm_source=feed", "https://blog.example.com/a", True),
        ("https://blog.example.com/größe", "https://blog.example.com/gr%C3%B6%C3%9Fe", True),
        ("https://blog.example.com/?p=12", "https://blog.example.com/?p=12&utm_source=mail", True),
        ("https://blog.example.com/?p=12", "https://blog.example.com/?p=13", False),
        ("https://blog.example.com/?p=12", "https://blog.example.com/", False),
        ("https://blog.example.com/a", "https://blog.example.com/a/b", False),
        ("https://blog.example.com/a", "https://other.example.com/a", False),
        ("https://blog.example.com/a", "", False),
        ("https://blog.example.com/a", "https://[", False),
        ("https://blog.example.com/a", "?#/:", False),
    ],
)
def test_which_page_is_a_posts(url: str, reading: str, *, same: bool) -> None:
    """A query tells posts apart only where it is their name; whatever else is said is no reason to fail."""
    assert (recommended_posts(Posts([Post(title="A", url=url)]), exclude=reading) == []) == same
