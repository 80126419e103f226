"""The provider `posts`: a blog's feed, polled."""

import asyncio
from functools import lru_cache

import httpx

from personalize.model import Posts
from personalize.providers.feed import read_feed
from personalize.providers.fetch import fetch, without_secrets
from personalize.providers.poll import Polled
from personalize.telemetry.metrics import Metrics


def posts_from_feed(
    location: str, client: httpx.AsyncClient, metrics: Metrics, *, interval: float = 60.0
) -> Polled[Posts]:
    """Return the provider of a feed's posts; it polls while it is entered.

    Args:
        location: the feed's http(s) URL, `file://` URL or file path.
        client: what a URL is fetched with; it must outlive the provider.
        metrics: where loads and failures are counted.
        interval: seconds between two loads.
    """
    url = without_secrets(location)  # links resolved against it are shown to visitors

    @lru_cache(maxsize=1)  # most polls find the feed as it was: it is not parsed again
    def parse(body: bytes) -> Posts:
        return Posts(read_feed(body, url=url))

    async def load() -> Posts:
        body = await fetch(location, client)
        return await asyncio.to_thread(parse, body)  # a large feed takes long enough to hold up answers

    return Polled("posts", load, Posts(), metrics, interval=interval, same=_same)


def _same(posts: Posts, others: Posts) -> bool:
    return posts.newest() == others.newest()
