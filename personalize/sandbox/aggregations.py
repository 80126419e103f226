"""Aggregations: what many events of a profile make one trait, as Segment's kinds of computed traits do."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import fsum
from typing import Any

import msgspec

from personalize.sandbox.comparisons import Number, is_number

LARGEST = 2**53
"""Larger numbers do not count, as JavaScript would not have sent them exactly."""

Aggregate = Callable[[Sequence[Any]], Any]


def most_frequent(values: Sequence[Any]) -> str | None:
    """Return the text that is there most often; of equals, the one seen last. Other values do not count."""
    texts = [value for value in values if isinstance(value, str) and value]
    latest_first = Counter(reversed(texts)).most_common(1)  # which keeps the order of equals
    return latest_first[0][0] if latest_first else None


def unique(values: Sequence[Any]) -> list[Any]:
    """Return each value once, in the order in which they were first seen."""
    return list({msgspec.json.encode(value, order="sorted"): value for value in values}.values())


def total(numbers: Sequence[Number]) -> Number:
    """Return the sum, which is exact, and whole where all numbers are."""
    return sum(numbers) if all(isinstance(number, int) for number in numbers) else fsum(numbers)


def _of_numbers(aggregate: Callable[[Sequence[Number]], Number]) -> Aggregate:
    """Return an aggregation that passes over what is no number; without any it is null."""

    def of_numbers(values: Sequence[Any]) -> Number | None:
        numbers = [value for value in values if is_number(value) and abs(value) <= LARGEST]
        return aggregate(numbers) if numbers else None

    return of_numbers


AGGREGATES: Mapping[str, Aggregate] = {
    "sum": _of_numbers(total),
    "average": _of_numbers(lambda numbers: fsum(numbers) / len(numbers)),
    "minimum": _of_numbers(min),
    "maximum": _of_numbers(max),
    "most_frequent": most_frequent,
    "first": lambda values: values[0] if values else None,
    "last": lambda values: values[-1] if values else None,
    "unique_list": lambda values: unique(values) or None,
    "unique_count": lambda values: len(unique(values)) or None,
}
"""What each makes of values in the order of time, none of them null; null is a trait that is not there.

A count is none of them: it is of events, and not of what they have in a property.
"""
