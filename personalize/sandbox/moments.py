"""Moments: as the clock gives them, as the store keeps them (microseconds since 1970) and as JSON writes them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]

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
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return micros(aware.astimezone(UTC))
    except OverflowError as error:
        raise ValueError(text) from error


def written(at: int) -> str:
    """Return microseconds since 1970 as ISO 8601 in UTC with milliseconds, as Segment writes it."""
    moment = _EPOCH + timedelta(microseconds=at)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
