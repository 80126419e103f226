"""Conditions: what a profile has to have done, or to be."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from personalize.sandbox import moments
from personalize.sandbox.comparisons import Comparison, PropertyComparison
from personalize.sandbox.inputs import Input


class History(Protocol):
    """What one profile did and is."""

    def events(self, name: str, window: timedelta | None) -> Sequence[Mapping[str, Any]]:
        """Return the properties of the events of a name, oldest first, over a window that ends now (None: all)."""
        ...

    def times(self, name: str, window: timedelta | None) -> int:
        """Return how many these are."""
        ...

    def trait(self, key: str) -> Any:  # noqa: ANN401 - a trait's value is any JSON value
        """Return a trait, or None if it has none."""
        ...


class Happened(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Events of a name, over a window that ends now (`60d`; none: all), whose properties fit."""

    event: str
    window: str | None = None
    where: tuple[PropertyComparison, ...] = ()

    def __post_init__(self) -> None:
        try:
            span = self._span()
        except ValueError as error:
            raise ValueError(f"`window` {error}") from None
        if span is not None and span <= timedelta(0):
            raise ValueError("`window` has to be longer than nothing")

    @property
    def input(self) -> Input:
        """What it is worked out from."""
        return Input("event", self.event)

    def found(self, history: History) -> list[Mapping[str, Any]]:
        """Return the properties of the events that count, oldest first."""
        events = history.events(self.event, self._span())
        return [event for event in events if all(test.fits(event.get(test.property)) for test in self.where)]

    def times(self, history: History) -> int:
        """Return how many count; without conditions on them that is quicker than finding them."""
        return len(self.found(history)) if self.where else history.times(self.event, self._span())

    def _span(self) -> timedelta | None:
        return None if self.window is None else moments.span(self.window)


class EventCondition(Happened, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """That events happened so often; without a number, at least once."""

    times_at_least: int | UnsetType = UNSET
    times_at_most: int | UnsetType = UNSET

    def holds(self, history: History) -> bool:
        """Return whether it is so for a profile."""
        times = self.times(history)
        at_least = int(self.times_at_most is UNSET) if self.times_at_least is UNSET else self.times_at_least
        return at_least <= times and (self.times_at_most is UNSET or times <= self.times_at_most)


class TraitCondition(Comparison, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a trait has to be; it may be a computed one, or an audience that is declared further up."""

    trait: str

    @property
    def input(self) -> Input:
        """What it is worked out from."""
        return Input("trait", self.trait)

    def holds(self, history: History) -> bool:
        """Return whether it is so for a profile."""
        return self.fits(history.trait(self.trait))


Condition = EventCondition | TraitCondition
