"""Recent posts in the category the reader reads most."""

from datetime import timedelta
from typing import Annotated

from personalize import Items, Param, Post, Posts, Trait, recipe


@recipe("recommended-posts", access="public", ttl=timedelta(minutes=5))
def recommended_posts(
    posts: Annotated[Posts, Items("posts")],
    category: Annotated[str | None, Trait("favorite_blog_category")] = None,
    limit: Annotated[int, Param(ge=1, le=20)] = 5,
) -> list[Post]:
    """Return the newest posts of the favourite category, else the newest posts."""
    return (posts.in_category(category) or posts.newest())[:limit]
