"""Conditions on an event: the tree that a trigger in FQL is, and whether an event fulfils it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from personalize.destination.paths import path
from personalize.destination.values import MISSING, Found, Json, text

Operator = Literal[
    "=", "!=", "<", "<=", ">", ">=", "number_equals", "number_not_equals", "is_true", "is_false", "exists",
    "not_exists", "contains", "not_contains", "starts_with", "not_starts_with", "ends_with", "not_ends_with",
]  # fmt: skip
"""Segment's names for them."""

OBJECTS = {"properties": "event-property", "traits": "event-trait", "context": "event-context"}
"""What has members that may be asked for, and what Segment calls one of these."""

WORDS = {"type": "event-type", "event": "event", "name": "name", "userId": "userId"}
"""What is asked for by itself."""


class Condition(Protocol):
    """What an event fulfils or not."""

    def matches(self, event: Json) -> bool:
        """Return whether it does."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison.

    Args:
        subject: what of the event is looked at, as a path: `type`, `properties.price`.
        operator: how it is compared.
        value: with what, where the operator needs something.
    """

    subject: str
    operator: Operator
    value: str | int | float | None = None

    def matches(self, event: Json) -> bool:
        """Return whether it holds for an event."""
        return isinstance(event, Mapping) and _TESTS[self.operator](path(self.subject).find(event), self.value)


@dataclass(frozen=True, slots=True)
class Group:
    """Several conditions, of which all (`and`) or one (`or`) have to hold."""

    operator: Literal["and", "or"]
    children: tuple["Group | Comparison", ...]

    def matches(self, event: Json) -> bool:
        """Return whether as many hold as have to."""
        holding = (child.matches(event) for child in self.children)
        return all(holding) if self.operator == "and" else any(holding)


def _is(found: Found, value: Json) -> bool:
    return isinstance(found, str) and found == text(value)


def _number(value: Json) -> float:
    try:
        return float(text(value))
    except ValueError:
        return float("nan")


def _compared(compare: Callable[[float, float], bool]) -> Callable[[Found, Json], bool]:
    """Return a comparison of numbers: text that looks like one is none."""

    def holds(found: Found, value: Json) -> bool:
        return isinstance(found, int | float) and not isinstance(found, bool) and compare(found, _number(value))

    return holds


def _not(test: Callable[[Found, Json], bool]) -> Callable[[Found, Json], bool]:
    return lambda found, value: not test(found, value)


def _contains(found: Found, value: Json) -> bool:
    if isinstance(found, list | tuple):
        return value in found
    return isinstance(found, str) and text(value) in found


def _starts(found: Found, value: Json) -> bool:
    return isinstance(found, str) and found.startswith(text(value))


def _ends(found: Found, value: Json) -> bool:
    return isinstance(found, str) and found.endswith(text(value))


def _exists(found: Found, _: Json) -> bool:
    return found is not MISSING and found is not None


_TESTS: Mapping[Operator, Callable[[Found, Json], bool]] = {
    "=": _is,
    "!=": _not(_is),
    "<": _compared(lambda found, value: found < value),
    "<=": _compared(lambda found, value: found <= value),
    ">": _compared(lambda found, value: found > value),
    ">=": _compared(lambda found, value: found >= value),
    "number_equals": _compared(lambda found, value: found == value),
    "number_not_equals": _compared(lambda found, value: found != value),
    "is_true": lambda found, _: found is True,
    "is_false": lambda found, _: found is False,
    "exists": _exists,
    "not_exists": _not(_exists),
    "contains": _contains,
    "not_contains": _not(_contains),
    "starts_with": _starts,
    "not_starts_with": _not(_starts),
    "ends_with": _ends,
    "not_ends_with": _not(_ends),
}
