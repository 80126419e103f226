"""A day of visits on a simulated clock: how often Segment is asked, beside an ideal cache.

The ideal one knows at once what any replica has read, and reads whatever is older than it may be, once.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from personalize.cache.entry import Ages
from personalize.cache.memory import MemoryStore
from personalize.cache.redis import Expiry, RedisStore
from personalize.cache.source import CachedSource
from personalize.fleet.connection import Connection
from personalize.fleet.invalidations import Invalidations
from personalize.fleet.lock import Locks
from personalize.model import Collection, ExternalId, SectionName
from personalize.needs import Events, EventsSpec, SectionSpec, TraitsSpec
from personalize.ports import Ask, Errand
from personalize.telemetry.metrics import Metrics
from personalize.telemetry.pseudonym import Pseudonyms
from tests import redises
from tests.bench.rows import Row
from tests.bench.scale import Scale

DAY = 86_400.0
LISTENING = "invalidations"
BEGUN = 1_800_000_000.0
REPLICAS = (1, 4, 16)
SECTIONS: dict[SectionName, SectionSpec] = {
    "traits": TraitsSpec(("favorite_blog_category",), ttl=300),
    "events": EventsSpec((Events("Product Viewed"),), ttl=60),
}
AGES = Ages(revalidate=600, stale=86_400, negative=30)
PAGES = 6
"""What a visit has on average."""

READING_SECONDS = 45
"""What a visitor looks at a page, on average."""


@dataclass(slots=True)
class Clock:
    """The time of the simulated day."""

    now: float = BEGUN

    def __call__(self) -> float:
        return self.now


class Segment:
    """A Profile API that knows everybody, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def refuses(self, errand: Errand) -> None:
        """Refuse nothing."""

    async def read(
        self, collection: Collection, external_id: ExternalId, spec: SectionSpec, errand: Errand
    ) -> dict[str, str] | tuple[()]:
        self.calls += 1
        return {"favorite_blog_category": "Cycling"} if isinstance(spec, TraitsSpec) else ()


def rows(scale: Scale) -> Iterator[Row]:
    """Yield a row for each number of replicas."""
    pages = [*_day(random.Random(3), visits=scale.visits)]
    ideal = ideal_calls(pages)
    with redises.server() as redis:
        for replicas in REPLICAS:
            redis.client.flushall()
            calls = asyncio.run(_lived(pages, replicas, redis.url))
            what = f"calls to Segment on a day of {len(pages):,} pages, {replicas} replica{'s' * (replicas > 1)}"
            yield Row(
                what, "an ideal cache of the same ages", calls, ideal, "", "ratio", calls / ideal, "<=", 1.1, 1.02
            )


def _day(chance: random.Random, visits: int) -> list[tuple[float, int]]:
    """Return when who looks at a page, in order: visits of some pages each, of visitors some of whom come often."""
    weights = [1 / rank for rank in range(1, visits + 1)]
    pages = []
    for who in chance.choices(range(visits), weights, k=visits):
        at = chance.uniform(0, DAY)
        for _ in range(1 + int(chance.expovariate(1 / (PAGES - 1)))):
            pages.append((BEGUN + at, who))
            at += chance.expovariate(1 / READING_SECONDS)
    return sorted(pages)


def ideal_calls(pages: Sequence[tuple[float, int]]) -> int:
    """Return how often Segment is asked by pages of visitors, in order, if everybody knows all that was read before."""
    read: dict[tuple[int, SectionName], float] = {}
    calls = 0
    for now, who in pages:
        for name, spec in SECTIONS.items():
            if now - read.get((who, name), 0.0) >= spec.ttl:
                read[who, name] = now
                calls += 1
    return calls


async def _lived(pages: Sequence[tuple[float, int]], replicas: int, url: str) -> int:
    """Return how often Segment was asked while each page went to some replica."""
    segment, clock, chance = Segment(), Clock(), random.Random(5)
    metrics = Metrics(CollectorRegistry())
    async with AsyncExitStack() as stack:
        fleet = [await stack.enter_async_context(_replica(segment, clock, url, metrics)) for _ in range(replicas)]
        for now, who in pages:
            clock.now = now
            ask = Ask("users", ExternalId("user_id", str(who)), SECTIONS, asyncio.get_running_loop().time() + 10)
            await chance.choice(fleet).fetch(ask)
            await _done_behind()
    return segment.calls


@asynccontextmanager
async def _replica(segment: Segment, clock: Clock, url: str, metrics: Metrics) -> AsyncIterator[CachedSource]:
    connection = Connection(url, metrics=metrics, seconds=5.0)  # as long as a busy machine needs
    invalidations = Invalidations(connection, channel="personalize:forgotten:bench", metrics=metrics)
    source = CachedSource(
        segment,
        MemoryStore(keep=AGES.stale, metrics=metrics),
        RedisStore(connection, Locks(connection), invalidations, Expiry(known=AGES.stale, unknown=61)),
        pseudonyms=Pseudonyms(b"fake-key-of-a-benchmark"),
        ages=AGES,
        metrics=metrics,
        clock=clock,
    )
    listening = asyncio.create_task(source.listen(), name=LISTENING)
    try:
        yield source
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await source.aclose()
        await connection.aclose()


async def _done_behind() -> None:
    """Wait until all is done that the page has left behind."""
    this = asyncio.current_task()
    while behind := [one for one in asyncio.all_tasks() if one is not this and LISTENING not in one.get_name()]:
        await asyncio.wait(behind)
