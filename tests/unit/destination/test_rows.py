"""Rows as JSON."""

import datetime as dt
from decimal import Decimal
from uuid import UUID

import pytest

from personalize.destination.rows import as_json
from personalize.errors import RowRefused

EAST = dt.timezone(dt.timedelta(hours=1))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, None),
        (True, True),
        ("007", "007"),
        (2**70, 2**70),
        (float("nan"), None),
        (Decimal("7.00"), 7),
        (Decimal("7.25"), 7.25),
        (Decimal("NaN"), None),
        (dt.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05Z"),  # noqa: DTZ001 -- a column without a zone
        (dt.datetime(2026, 1, 2, 3, 4, 5, 678, EAST), "2026-01-02T02:04:05.000678Z"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.time(3, 4), "03:04:00"),
        (dt.timedelta(minutes=1), 60.0),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        ({"a": [Decimal(1), {2: dt.date(2026, 1, 2)}]}, {"a": [1, {"2": "2026-01-02"}]}),
        (("a",), ["a"]),
    ],
)
def test_values_are_what_json_says(value: object, told: object) -> None:
    """Times in UTC, numbers as numbers, ids as they are."""
    assert as_json({"column": value}) == {"column": told}


def test_bytes_are_refused_by_their_column() -> None:
    """JSON has no way to write them."""
    with pytest.raises(RowRefused, match="the column `photo` holds bytes, which JSON cannot say: cast it"):
        as_json({"photo": b"\x00"})
