"""What an action takes: its fields, and how a payload is made to fit them before it is looked at.

In the order of Segment's: what is empty is left out, what can be meant is converted, what nobody asked for is dropped.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from personalize.destination.values import Json, kind, text
from personalize.errors import RowRefused

Kind = Literal["string", "datetime", "object"]

_EPOCH = re.compile(r"-?[0-9]{9,16}(\.[0-9]+)?", re.ASCII)
"""Seconds or milliseconds as text; fewer digits are a date without its dashes, or nothing."""

_DIGITS = re.compile(r"[0-9]+", re.ASCII)

MAX_EPOCH = 253_402_300_799
"""The last second of the year 9999; greater numbers are milliseconds."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an action.

    Args:
        name: as mappings have it.
        label: as Segment's page has it.
        kind: what it holds.
        required: whether a payload without it is refused.
        nullable: whether null says something.
    """

    name: str
    label: str
    kind: Kind = "string"
    required: bool = False
    nullable: bool = False


def fitted(payload: Mapping[str, Json], fields: Sequence[Field]) -> dict[str, Json]:
    """Return what of a payload the fields take, converted.

    Raises:
        RowRefused: a field is missing, or holds what it cannot.
    """
    found = {field.name: _converted(payload[field.name], field) for field in fields if _is_told(payload, field)}
    missing = [field.label for field in fields if field.required and field.name not in found]
    if missing:
        raise RowRefused(f"`{missing[0]}` is required.")
    return found


def _is_told(payload: Mapping[str, Json], field: Field) -> bool:
    value = payload.get(field.name)
    return value != "" and (value is not None or (field.nullable and field.name in payload))


def _converted(value: Json, field: Field) -> Json:
    if value is None:
        return None
    if field.kind == "object":
        return value if isinstance(value, Mapping) else _refuse(value, field, "an object")
    if not isinstance(value, str | int | float):
        return _refuse(value, field, "a date" if field.kind == "datetime" else "a string")
    if field.kind == "string":
        return text(value)
    return _moment(value, field)


def _moment(value: str | float, field: Field) -> str:
    """Return a time as Segment reads it; text that is one stays as it was written."""
    try:
        if isinstance(value, str) and _EPOCH.fullmatch(value.strip()):  # a column of CSV, where all is text
            return _moment(float(value), field)
        if isinstance(value, str) and not _DIGITS.fullmatch(value.strip()):  # 20260102 is a date to Python alone
            datetime.fromisoformat(value.strip())
            return value.strip()
        if not isinstance(value, bool | str):
            seconds = value if abs(value) <= MAX_EPOCH else value / 1000
            moment = datetime.fromtimestamp(seconds, UTC)
            return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        pass
    raise RowRefused(f"`{field.label}` must be a date, such as 2026-01-02T03:04:05Z, but it was `{text(value)[:40]}`.")


def _refuse(value: Json, field: Field, wanted: str) -> Json:
    what = kind(value)
    raise RowRefused(f"`{field.label}` must be {wanted} but it was {'an' if what[0] in 'ao' else 'a'} {what}.")
