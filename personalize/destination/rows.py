"""A source's rows as JSON."""

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from personalize.destination.values import Json
from personalize.errors import RowRefused

Row = Mapping[str, object]

MAX_DEPTH = 100
"""Objects and lists in one another, in a column."""


class Unreadable(NamedTuple):
    """What stands where a row should: as much of it as can be shown, and why it is none."""

    text: str
    reason: str


def as_json(row: Row) -> dict[str, Json]:
    """Return a row as Segment takes it.

    Times are written as ISO 8601, in UTC where no zone is said; what is no number is null.

    Raises:
        RowRefused: a column holds bytes, which JSON has no way to write, or what has no end.
    """
    return {name: _json(value, name) for name, value in row.items()}


def _json(value: object, column: str, depth: int = 0) -> Json:  # noqa: PLR0911 -- one a kind
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return _number(value)
        case dt.datetime():
            moment = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
            return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
        case dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return value.total_seconds()
        case UUID():
            return str(value)
        case Mapping() | list() | tuple() | set():
            return _holding(value, column, depth + 1)
        case _:
            raise RowRefused(f"the column `{column}` holds {type(value).__name__}, which JSON cannot say: cast it.")


def _holding(value: Mapping[object, object] | Iterable[object], column: str, depth: int) -> Json:
    if depth > MAX_DEPTH:
        raise RowRefused(f"the column `{column}` is deeper than {MAX_DEPTH} objects and lists in one another.")
    if isinstance(value, Mapping):
        return {str(name): _json(one, column, depth) for name, one in value.items()}
    return [_json(one, column, depth) for one in value]


def _number(value: Decimal) -> int | float | None:
    if not value.is_finite():
        return None
    return int(value) if value == value.to_integral_value() else float(value)
