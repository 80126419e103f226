"""Counting what the short lane sends: a moment later, and many at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from personalize.engine import Outcome
from personalize.model import SectionName
from personalize.telemetry.metrics import Metrics, bucket_of, no_times

FLUSH_SECONDS = 0.5
"""After which answers of the lane are in the metrics."""


@dataclass(slots=True, weakref_slot=True, eq=False)
class Tally:
    """The answers of one kind that are not in the metrics yet: how many took how long, and what all took.

    `recipes` and `sections` are those of one answer, with their provenance; `known` are the answers whose callers had
    them already.
    """

    label: str
    route: str
    recipes: tuple[tuple[str, str], ...]
    sections: frozenset[tuple[SectionName, str]]
    answers: int = 0
    known: int = 0
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=no_times)

    def flush(self, metrics: Metrics) -> None:
        """Count them as those are that go the whole way."""
        for status, answers in (("200", self.answers - self.known), ("304", self.known)):
            if answers:
                metrics.http_responses.labels(self.route, status).inc(answers)
        for recipe, provenance in self.recipes:
            metrics.requests.labels(recipe, provenance).inc(self.answers)
        for name, provenance in self.sections:
            metrics.cache_reads.labels(name, "memory").inc(self.answers)
            metrics.sections.labels(name, provenance).inc(self.answers)
        metrics.request_seconds.labels(self.label).add(self.buckets, self.seconds)
        self.answers, self.known, self.seconds, self.buckets = 0, 0, 0.0, no_times()


class Tallies:
    """What has been counted and not told yet.

    Args:
        metrics: what it is told.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._kinds: WeakValueDictionary[tuple[object, ...], Tally] = WeakValueDictionary()
        self._pending: list[Tally] = []

    def of(self, label: str, route: str, outcomes: Sequence[Outcome], *, looked_up: bool = False) -> Tally:
        """Return what counts answers that are made of outcomes like these; what was `looked_up` counted itself."""
        recipes = tuple((one.recipe, one.provenance) for one in outcomes)
        tally = self._kinds.get((label, recipes, looked_up))
        if tally is None:
            read = [] if looked_up else outcomes
            sections = frozenset((name, one.provenance) for one in read for name in one.readings)
            tally = self._kinds[label, recipes, looked_up] = Tally(label, route, recipes, sections)
        return tally

    def count(self, tally: Tally, seconds: float, *, known: bool) -> None:
        """Count one answer."""
        if not tally.answers:
            self._pending.append(tally)
        tally.answers += 1
        tally.known += known
        tally.seconds += seconds
        tally.buckets[bucket_of(seconds)] += 1

    def flush(self) -> None:
        """Tell the metrics."""
        pending, self._pending = self._pending, []
        for tally in pending:
            tally.flush(self._metrics)

    @asynccontextmanager
    async def flushing(self) -> AsyncIterator[None]:
        """Tell the metrics now and then while the body runs, and the rest after it."""
        task = asyncio.create_task(self._often(), name="tallies")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            self.flush()

    async def _often(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self.flush()
