"""JSON values, and what JavaScript, in which mappings were thought up, says of them."""

import json
import math
from collections.abc import Mapping, Sequence
from enum import Enum

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


class Missing(Enum):
    """What is not there at all, which is something else than null."""

    MISSING = "missing"


MISSING = Missing.MISSING
Found = Json | Missing

EXACT = 2**53
"""Up to which JavaScript's numbers are whole ones exactly."""


def kind(value: object) -> str:
    """Return what a value is, in words for whoever wrote it."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case Mapping():
            return "object"
        case _:
            return "array"


def text(value: Json) -> str:
    """Return a value as text: whole numbers without a point, and objects as JSON."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case float() if value.is_integer() and abs(value) <= EXACT:
            return str(int(value))
        case int() | float():
            return str(value) if math.isfinite(value) else "null"
        case _:
            return encoded(value)


def encoded(value: Json) -> str:
    """Return a value as the shortest JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def decoded(said: str) -> Json:
    """Return what JSON says, or the text itself where it is none."""
    try:
        value: Json = json.loads(said)
    except (ValueError, RecursionError):
        return said
    return value
