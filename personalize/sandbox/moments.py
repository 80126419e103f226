"""Moments: as the clock gives them, as the store keeps them (microseconds since 1970) and as JSON writes them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]

_SPAN = re.compile(r"(-?)(\d{1,9})(ms|s|m|h|d)", re.ASCII)
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def micros(moment: datetime) -> int:
    """Return an aware datetime as microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def parsed(text: str) -> int:
    """Return an ISO 8601 text as microseconds since 1970; one without an offset is in UTC.

    Raises:
        ValueError: the text is no ISO 8601 date or time, or is outside the years 1 to 9999.
    """
    found = datetime.fromisoformat(text)
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    try:
        return micros(aware.astimezone(UTC))
    except OverflowError as error:
        raise ValueError(text) from error


def span(text: str) -> timedelta:
    """Return a text such as `60d` or `-90m` as a span of time; units are d, h, m, s and ms.

    Raises:
        ValueError: the text is no such span.
    """
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"has to be a number and a unit, such as 60d or 48h, not {text!r}")
    sign, number, unit = match.groups()
    return int(sign + number) * _UNITS[unit]


def moment(at: int) -> datetime:
    """Return microseconds since 1970 as an aware datetime."""
    return _EPOCH + timedelta(microseconds=at)


def written(at: int) -> str:
    """Return microseconds since 1970 as ISO 8601 in UTC with milliseconds, as Segment writes it."""
    return moment(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")
