"""Recent posts in the category the reader reads most."""

from datetime import timedelta
from itertools import islice
from typing import Annotated
from urllib.parse import unquote

from personalize import Items, Param, Post, Posts, Trait, recipe


@recipe("recommended-posts", access="public", ttl=timedelta(minutes=5), template="recommended_posts.html")
def recommended_posts(
    posts: Annotated[Posts, Items("posts")],
    category: Annotated[str | None, Trait("favorite_blog_category")] = None,
    limit: Annotated[int, Param(ge=1, le=20)] = 5,
    exclude: Annotated[str, Param(max_length=2000, description="The URL of the post being read.")] = "",
) -> list[Post]:
    """Return the newest posts of the favourite category, else the newest posts; not the one being read."""
    favourites = _first(posts.in_category(category), limit, exclude)
    return favourites or _first(posts.newest(), limit, exclude)


def _first(posts: list[Post], limit: int, exclude: str) -> list[Post]:
    return list(islice((post for post in posts if not _same(post.url, exclude)), limit))


def _same(url: str, read: str) -> bool:
    """Whether the page being read is a post's.

    A fragment, a slash at the end and more in the query, as campaigns add it, make no other one; where links are plain,
    as in `/?p=123`, the post's own query is its name.
    """
    place, query = _parts(url)
    place_read, query_read = _parts(read)
    return place == place_read and query <= query_read


def _parts(url: str) -> tuple[str, set[str]]:
    """Return where a URL leads, and what its query says beyond the marks of campaigns."""
    place, _, query = url.partition("#")[0].partition("?")
    said = {part for part in query.split("&") if part and not part.startswith("utm_")}
    return unquote(place.partition("://")[2]).rstrip("/").lower(), said
