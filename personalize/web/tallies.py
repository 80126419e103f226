"""Counting what the short lane sends: a moment later, and many at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from personalize.engine import Outcome
from personalize.model import SectionName
from personalize.telemetry.metrics import Metrics

FLUSH_SECONDS = 0.5
"""After which answers of the lane are in the metrics."""


@dataclass(slots=True, weakref_slot=True, eq=False)
class Tally:
    """The answers of one kind that are not in the metrics yet, by the seconds that each took.

    `recipes` and `sections` are those of one answer, with their provenance.
    """

    label: str
    route: str
    recipes: tuple[tuple[str, str], ...]
    sections: frozenset[tuple[SectionName, str]]
    seconds: list[float] = field(default_factory=list)

    def flush(self, metrics: Metrics) -> None:
        """Count them as those are that go the whole way."""
        seconds, self.seconds = self.seconds, []
        metrics.http_responses.labels(self.route, "200").inc(len(seconds))
        for recipe, provenance in self.recipes:
            metrics.requests.labels(recipe, provenance).inc(len(seconds))
        for name, provenance in self.sections:
            metrics.cache_reads.labels(name, "memory").inc(len(seconds))
            metrics.sections.labels(name, provenance).inc(len(seconds))
        observe = metrics.request_seconds.labels(self.label).observe
        for one in seconds:
            observe(one)


class Tallies:
    """What has been counted and not told yet.

    Args:
        metrics: what it is told.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._kinds: WeakValueDictionary[tuple[object, ...], Tally] = WeakValueDictionary()
        self._pending: list[Tally] = []

    def of(self, label: str, route: str, outcomes: Sequence[Outcome]) -> Tally:
        """Return what counts answers that are made of outcomes like these."""
        recipes = tuple((one.recipe, one.provenance) for one in outcomes)
        tally = self._kinds.get((label, recipes))
        if tally is None:
            sections = frozenset((name, one.provenance) for one in outcomes for name in one.readings)
            tally = self._kinds[label, recipes] = Tally(label, route, recipes, sections)
        return tally

    def count(self, tally: Tally, seconds: float) -> None:
        """Count one answer."""
        if not tally.seconds:
            self._pending.append(tally)
        tally.seconds.append(seconds)

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
