"""The client's own cost: fifty calls at a time to an upstream that answers at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

import httpx
from prometheus_client import CollectorRegistry

from personalize.model import ExternalId
from personalize.profile_api.client import ProfileClient
from personalize.profile_api.token import AccessToken
from personalize.telemetry.metrics import Metrics
from tests.bench import servers
from tests.bench.rows import Row, compared
from tests.bench.scale import Scale

AT_ONCE = 50
TRAIT = "favorite_blog_category"


def rows(scale: Scale) -> Iterator[Row]:
    """Yield the row of calls to the Profile API."""
    with servers.upstream() as upstream:
        ours, theirs = (lambda one=one: asyncio.run(one(upstream, scale.calls)) for one in (_pooled, _plain))
        seen = compared(ours, theirs, scale.rounds)
    numbers = (seen.ours, seen.theirs, "/s", "ratio", seen.ratio)
    yield Row(f"calls to Segment, {AT_ONCE} at a time", "httpx as it comes", *numbers, ">=", 1.5, 3.0)


async def _pooled(url: str, calls: int) -> float:
    token = AccessToken("fake-token-of-a-benchmark", None)
    client = ProfileClient(
        space_id="bench", access_token=token, base_url=url, transport=None, metrics=Metrics(CollectorRegistry())
    )
    try:
        return await _rate(lambda who: client.traits("users", ExternalId("user_id", who), include=[TRAIT]), calls)
    finally:
        await client.aclose()


async def _plain(url: str, calls: int) -> float:
    async with httpx.AsyncClient(base_url=url, auth=("fake-token-of-a-benchmark", ""), trust_env=False) as client:

        async def traits(who: str) -> None:
            path = f"/v1/spaces/bench/collections/users/profiles/user_id:{who}/traits"
            (await client.get(path, params={"include": TRAIT})).json()

        return await _rate(traits, calls)


async def _rate(call: Callable[[str], Awaitable[object]], calls: int) -> float:
    """Return how many calls a second are made by those that are made in turns."""
    numbers = iter(range(calls))

    async def one_after_another() -> None:
        for number in numbers:
            await call(f"u{number}")

    started = time.perf_counter()
    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))
    return calls / (time.perf_counter() - started)
