"""Comparisons: what a trait or a property of an event has to be."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

Number = int | float


class Comparison(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"is_": "is"}):
    """What a value has to be: equal to one, different from one, or a number within bounds, themselves included.

    All that are given have to hold. A value that is not there fulfils only `is_not`.
    """

    is_: Any = UNSET
    is_not: Any = UNSET
    at_least: Number | UnsetType = UNSET
    at_most: Number | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.is_ is self.is_not is self.at_least is self.at_most is UNSET:
            raise ValueError("needs `is`, `is_not`, `at_least` or `at_most`")

    def fits(self, value: Any) -> bool:  # noqa: ANN401 - any JSON value; None if there is none
        """Return whether a value is what it has to be."""
        return (
            (self.is_ is UNSET or same(value, self.is_))
            and (self.is_not is UNSET or not same(value, self.is_not))
            and (self.at_least is UNSET or (is_number(value) and value >= self.at_least))
            and (self.at_most is UNSET or (is_number(value) and value <= self.at_most))
        )


class PropertyComparison(Comparison, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a property of an event has to be."""

    property: str


def is_number(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Return whether a value is a number; in JSON true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(one: Any, other: Any) -> bool:  # noqa: ANN401 - any JSON values
    """Return whether two values are equal in JSON, where 1 is not true."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
