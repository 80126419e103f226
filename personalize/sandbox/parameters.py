"""Query parameters of the Profile API, read one by one. Unknown ones are ignored, as Segment does."""

from collections.abc import Collection

from starlette.datastructures import QueryParams

from personalize.sandbox import moments
from personalize.sandbox.answers import invalid


def names(query: QueryParams, parameter: str) -> tuple[str, ...] | None:
    """Return names that are joined by commas, given in repeated parameters, or both; None if there are none."""
    found = [name for value in query.getlist(parameter) for name in value.split(",") if name]
    return tuple(found) or None


def limit(query: QueryParams, default: int, maximum: int) -> int:
    """Return how many items a page may have.

    Raises:
        Refused: it is no whole number from 1 to the maximum.
    """
    text = query.get("limit", str(default))
    number = int(text) if text.isascii() and text.isdigit() and len(text) < len(str(maximum)) + 1 else 0
    if not 1 <= number <= maximum:
        raise invalid("limit", f"has to be a number from 1 to {maximum}.")
    return number


def flag(query: QueryParams, parameter: str) -> bool:
    """Return whether a parameter says `true`, in any casing: `True` is what Python clients send."""
    return query.get(parameter, "").lower() == "true"


def choice(query: QueryParams, parameter: str, choices: Collection[str]) -> str | None:
    """Return one of a few words, or None if the parameter is not given.

    Raises:
        Refused: it is another word.
    """
    word = query.get(parameter) or None
    if word is not None and word not in choices:
        raise invalid(parameter, f"has to be one of {', '.join(choices)}.")
    return word


def moment(query: QueryParams, parameter: str, default: int) -> int:
    """Return an ISO 8601 date or time as microseconds since 1970.

    Raises:
        Refused: it is no such text.
    """
    text = query.get(parameter)
    try:
        return moments.parsed(text) if text else default
    except ValueError:
        raise invalid(parameter, "has to be a date or time in ISO 8601.") from None
