"""Computations: what the sandbox works out of what profiles do, as Segment's Unify would."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from personalize.sandbox.comparisons import same
from personalize.sandbox.declarations import Declared
from personalize.sandbox.inputs import Input
from personalize.sandbox.moments import Clock, micros
from personalize.sandbox.store import Collection, ExternalId, Store, Trait

_EVER = -(2**63)
"""Before every event, in microseconds since 1970."""


class Change(NamedTuple):
    """A computed trait or an audience, and the value that a profile now has of it; None: it has none any more."""

    declared: Declared
    value: Any


class News(NamedTuple):
    """What changed for a profile, and the external ids that lead to it only since then."""

    profile: int
    changes: list[Change]
    arrivals: frozenset[ExternalId]


class Computations:
    """Keeps the computed traits and audiences of profiles up to date.

    Args:
        store: where profiles are.
        clock: what time it is, where windows end.
        declared: what there is to compute, each after those that it is worked out from.
    """

    def __init__(self, store: Store, clock: Clock, declared: Sequence[Declared]) -> None:
        self._store = store
        self._clock = clock
        self._declared = declared
        self._inputs = {one.key: frozenset(one.rule.inputs) for one in declared}
        self._everything = frozenset[Input]().union(*self._inputs.values())
        self._keys = {(one.rule.collection, one.key) for one in declared}

    def declares(self, collection: Collection, key: str) -> bool:
        """Return whether a trait of a collection's profiles is computed."""
        return (collection, key) in self._keys

    def refresh(self, collection: Collection, profile: int, touched: Iterable[Input] | None = None) -> list[Change]:
        """Compute anew what follows from what was touched (None: from anything); return what is different now."""
        known = _Profile(self._store, profile, micros(self._clock()))
        stale = set(self._everything if touched is None else touched)
        changes = []
        for declared in (one for one in self._declared if one.rule.collection == collection):
            if stale.isdisjoint(self._inputs[declared.key]):
                continue
            value = declared.rule.value(known, declared.key)
            if known.put(declared, value):
                stale.add(declared.input)
                changes.append(Change(declared, value))
        return changes

    def standing(self, collection: Collection, profile: int) -> list[Change]:
        """Return all that is computed of a profile, as for somebody who does not know any of it yet."""
        declared_here = [one for one in self._declared if one.rule.collection == collection]
        found = [(declared, self._store.traits.get(profile, declared.key)) for declared in declared_here]
        return [Change(declared, trait.value) for declared, trait in found if trait and trait.value is not None]


class _Profile:
    """The history of one profile as the store has it; `now` is in microseconds since 1970."""

    def __init__(self, store: Store, profile: int, now: int) -> None:
        self._store = store
        self._profile = profile
        self._now = now

    def events(self, name: str, window: timedelta | None) -> list[dict[str, Any]]:
        return self._store.events.properties(self._profile, name, self._start(window))

    def times(self, name: str, window: timedelta | None) -> int:
        return self._store.events.times(self._profile, name, self._start(window))

    def trait(self, key: str) -> Any:  # noqa: ANN401 - a trait's value is any JSON value
        found = self._store.traits.get(self._profile, key)
        return found and found.value

    def put(self, declared: Declared, value: Any) -> bool:  # noqa: ANN401 - a trait's value is any JSON value
        """Set what a declaration says; return whether that is news."""
        before = self._store.traits.get(self._profile, declared.key)
        if same(before and before.value, value):
            return False
        # The clock may have been moved back, and a value that is older than what is there would not be taken.
        at = max(self._now, before.updated_at) if before else self._now
        self._store.traits.put(self._profile, Trait(declared.key, value, at, class_=declared.class_))
        return True

    def _start(self, window: timedelta | None) -> int:
        return _EVER if window is None else self._now - window // timedelta(microseconds=1)
