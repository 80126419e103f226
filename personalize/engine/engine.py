"""The engine: what is known of a visitor goes through recipes and becomes outcomes."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, TypeVar

from msgspec import Raw, Struct, field
from msgspec.structs import replace

from personalize.declare import Binding
from personalize.engine.basis import basis_of
from personalize.engine.lanes import Lane
from personalize.engine.memo import Memo, key_of
from personalize.errors import RecipeFailed
from personalize.model import Collection, ExternalId, Reading, SectionName, Snapshot, Visitor
from personalize.needs import Plan
from personalize.ports import UNLIMITED, Allowance, Ask, Basis, Errand, ItemProvider, Priority, ProfileSource
from personalize.registry import AnyRecipe
from personalize.telemetry import logs, tracing
from personalize.telemetry.metrics import Metrics

T = TypeVar("T")

RECIPE_SECONDS = 0.05
"""What a recipe may take even when the profile took all of the deadline: its default must still be answered."""

Provenance = Literal["fresh", "stale", "negative", "default", "error"]
"""Where an answer comes from: the profile, or what it was a while ago; a visitor nobody knows; the defaults, since a
read failed and nothing was known; nowhere."""


class Call(Struct, frozen=True):
    """One recipe asked for, with its parameters already converted."""

    recipe: AnyRecipe
    params: Mapping[str, object]


class Outcome(Struct, frozen=True):
    """A recipe's answer with its provenance.

    `data` is encoded JSON; `fresh_for` and `seconds`, which its answer took, are in seconds; `readings` say how each
    section that it needs came to be known.
    """

    recipe: str
    data: Raw | None
    personalized: bool
    degraded: bool
    provenance: Provenance
    fresh_for: float
    readings: Mapping[SectionName, Reading] = field(default_factory=dict)
    seconds: float = 0.0
    error: RecipeFailed | None = None
    basis: Basis | None = None
    """What it rests on, if it came from memory, was fresh and reads no clock; good for `fresh_for` at most."""

    external_id: ExternalId | None = None
    """Whose profile it was made of: one of the visitor's ids."""


class _Known(Struct, frozen=True):
    """What is known of a visitor in one collection, what memory had of each profile looked up, and whose is known."""

    snapshot: Snapshot
    peeked: tuple[Basis | None, ...] = ()
    external_id: ExternalId | None = None


class _Bound(Struct, frozen=True):
    """A recipe's arguments, and the version of each provider whose items are among them."""

    binding: Binding
    versions: Sequence[tuple[ItemProvider, int]]


class Engine:
    """Answers recipes for visitors.

    Args:
        plan: what all loaded recipes read.
        source: where snapshots come from.
        providers: sources of items by name, for every provider that a recipe names.
        metrics: counts failures and mismatches.
        memo: remembers answers; one of its own where it is left out.
        now: the time, in UTC.
    """

    def __init__(
        self,
        plan: Plan,
        source: ProfileSource,
        providers: Mapping[str, ItemProvider],
        *,
        metrics: Metrics,
        memo: Memo | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._plan = plan
        self._source = source
        self._providers = providers
        self._metrics = metrics
        self._now = now
        self._memo = memo or Memo(metrics)
        self._lanes: dict[str, Lane[Raw]] = {}

    async def serve(
        self,
        calls: Sequence[Call],
        visitor: Visitor,
        deadline: float,
        priority: Priority = "page",
        allowance: Allowance = UNLIMITED,
    ) -> list[Outcome]:
        """Answer every call, in order, about one visitor by the deadline (a time of the event loop's clock)."""
        errand = Errand(priority, deadline)
        collections = sorted({call.recipe.collection for call in calls})
        known = await _together([self._known(calls, visitor, one, errand, allowance) for one in collections])
        by_collection = dict(zip(collections, known, strict=True))
        return await _together([self._outcome(one, by_collection[one.recipe.collection], deadline) for one in calls])

    def close(self) -> None:
        """End the threads that recipes ran in."""
        for lane in self._lanes.values():
            lane.close()

    async def _known(
        self, calls: Iterable[Call], visitor: Visitor, collection: Collection, errand: Errand, allowance: Allowance
    ) -> _Known:
        """Return what is known of the visitor's first profile that exists, for these calls' sections."""
        names = {name for call in calls if call.recipe.collection == collection for name in call.recipe.sections}
        sections = self._plan.sections(collection, names)
        ids = visitor.external_ids(collection) if sections else ()
        known, peeked = Snapshot(fresh_for=float("inf")), tuple[Basis | None, ...]()
        for external_id in ids:
            aliases = tuple(one for one in ids if one != external_id)
            urgency = (errand.deadline, errand.priority)
            ask = Ask(collection, external_id, sections, *urgency, aliases, allowance, visitor.proven)
            peeked = (*peeked, self._source.peek(ask))  # before: what comes meanwhile is not what it was made of
            with tracing.span("profile read", collection=collection, sections=",".join(sorted(names))):
                snapshot = await self._source.fetch(ask)
            known = _after(known, snapshot) if len(peeked) > 1 else snapshot
            if snapshot.found:
                return _Known(known, peeked, external_id)
            if snapshot.missing:  # where nothing is known, the next id may be a stranger's
                break
        return _Known(known, peeked)

    async def _outcome(self, call: Call, known: _Known, deadline: float) -> Outcome:
        recipe, relevant = call.recipe, _narrowed(known.snapshot, call.recipe)
        provenance, degraded = _provenance(relevant), bool(relevant.failed)
        outcome = partial(
            Outcome, recipe.name, degraded=degraded, readings=relevant.readings, external_id=known.external_id
        )
        started, found = time.perf_counter(), False
        try:
            bound = self._bind(call, relevant)
            found, basis = bound.binding.found, basis_of(recipe, relevant, known.peeked, bound.versions)
            with tracing.span("recipe", recipe=recipe.name, outcome=provenance):
                data = await self._answer(recipe, bound, deadline)
            return outcome(
                data=data,
                personalized=found,
                provenance=provenance,
                fresh_for=relevant.fresh_for,
                seconds=time.perf_counter() - started,
                basis=basis,
            )
        except RecipeFailed as error:
            self._report(recipe, error)
            if not found or error.reason == "overran":
                return outcome(data=None, personalized=False, provenance="error", fresh_for=0.0, error=error)
            # What this profile holds broke the recipe; its defaults are what visitors without a profile get.
            fallback = await self._outcome(call, _Known(Snapshot(failed=relevant.failed)), deadline)
            return fallback if fallback.error else replace(fallback, provenance="default", basis=None)

    def _bind(self, call: Call, snapshot: Snapshot) -> _Bound:
        named = [(name, self._providers[name]) for name in sorted(call.recipe.providers)]
        versions, items = [], {}
        for name, provider in named:
            version, items[name] = _items(provider)
            versions.append((provider, version))
        binding = call.recipe.bind(snapshot, items, call.params, self._now())
        for parameter in binding.mismatched:
            self._metrics.trait_mismatches.labels(call.recipe.name, parameter).inc()
        return _Bound(binding, versions)

    async def _answer(self, recipe: AnyRecipe, bound: _Bound, deadline: float) -> Raw:
        """Return what the function answers, from the memo if it was asked the same before."""
        arguments = bound.binding.arguments
        key = key_of(recipe, arguments, [version for _, version in bound.versions])
        if key is None:
            return await self._run(recipe, arguments, deadline)
        answer = self._memo.read(key)
        if answer is None:
            answer = await self._run(recipe, arguments, deadline)
            self._memo.write(key, answer)
        return answer

    async def _run(self, recipe: AnyRecipe, arguments: Mapping[str, object], deadline: float) -> Raw:
        lane = self._lanes.setdefault(recipe.name, Lane(recipe.name, recipe.answer))
        until = max(deadline, asyncio.get_running_loop().time() + RECIPE_SECONDS)
        with self._metrics.recipe_seconds.labels(recipe.name).time():
            return await lane.run(arguments, until)

    def _report(self, recipe: AnyRecipe, error: RecipeFailed) -> None:
        self._metrics.recipe_failures.labels(recipe.name, error.reason).inc()
        logs.recipe_failed(recipe.name, recipe.where, error.reason, error.__cause__)


async def _together(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Do all at once, and return what comes of it in order; one thing alone, as most are, needs no task of its own."""
    return [await work[0]] if len(work) == 1 else await asyncio.gather(*work)


def _after(earlier: Snapshot, later: Snapshot) -> Snapshot:
    """Return what is known by a second id: that the first one is unknown is known for a while only, if at all."""
    fresh_for = min(earlier.fresh_for, later.fresh_for)
    return replace(later, failed=earlier.failed | later.failed, fresh_for=fresh_for)


def _items(provider: ItemProvider) -> tuple[int, object]:
    """Return a provider's version and items.

    An installed provider is foreign code: if it fails, that costs the recipes that read it, and not the page.
    """
    try:
        return provider.version, provider.items()
    except Exception as error:
        raise RecipeFailed("raised") from error


def _narrowed(snapshot: Snapshot, recipe: AnyRecipe) -> Snapshot:
    """Return the part of a page's snapshot that one recipe reads: another recipe's failure is not its own."""
    if recipe.sections and recipe.sections.issuperset((*snapshot.sections, *snapshot.failed, *snapshot.readings)):
        return snapshot
    sections = {name: section for name, section in snapshot.sections.items() if name in recipe.sections}
    readings = {name: reading for name, reading in snapshot.readings.items() if name in recipe.sections}
    fresh_for = snapshot.fresh_for if recipe.sections else float("inf")
    return Snapshot(sections, snapshot.failed & recipe.sections, fresh_for, readings)


def _provenance(snapshot: Snapshot) -> Provenance:
    if snapshot.missing:
        return "default"
    if snapshot.sections and not snapshot.found:
        return "negative"
    return "stale" if snapshot.stale else "fresh"
