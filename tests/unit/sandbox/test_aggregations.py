"""What many values of a property make one trait."""

from __future__ import annotations

from typing import Any

import pytest

from personalize.sandbox.aggregations import AGGREGATES, LARGEST


@pytest.mark.parametrize(
    ("aggregation", "values", "expected"),
    [
        ("sum", [1, 2, 3], 6),
        ("sum", [0.1] * 10, 1.0),
        ("sum", [5, "5", True, [5], LARGEST * 2], 5),
        ("average", [1, 2], 1.5),
        ("minimum", [3, -1.5, 2], -1.5),
        ("maximum", [3, -1.5, 2], 3),
        ("maximum", [0], 0),
        ("most_frequent", ["a", "b", "b"], "b"),
        ("most_frequent", ["b", "a", "b", "a"], "a"),
        ("most_frequent", [7, 7, "", "", "a"], "a"),
        ("first", ["x", "y"], "x"),
        ("first", [False, "y"], False),
        ("last", ["x", {"y": 1}], {"y": 1}),
        ("unique_list", ["b", "a", "b"], ["b", "a"]),
        ("unique_list", [1, True, "1", 1], [1, True, "1"]),
        ("unique_list", [{"a": 1, "b": 2}, {"b": 2, "a": 1}], [{"b": 2, "a": 1}]),
        ("unique_count", ["b", "a", "b"], 2),
    ],
)
def test_values_make_one(aggregation: str, values: list[Any], expected: object) -> None:
    """An aggregation takes the values that it can use, in the order of time; of equally frequent ones the latest."""
    made = AGGREGATES[aggregation](values)
    assert (made, repr(made)) == (expected, repr(expected))


@pytest.mark.parametrize("aggregation", AGGREGATES)
def test_no_values_make_no_trait(aggregation: str) -> None:
    """Without anything to aggregate there is no trait, rather than a zero or an empty list."""
    assert AGGREGATES[aggregation]([]) is None
