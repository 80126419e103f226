"""Between the Profile API's JSON and our values. Pure: bytes and strings in, values out.

Shapes are those of the Profile API documentation: Get a profile's traits, Get a profile's events, Error body.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from personalize.errors import Unreadable
from personalize.model import Collection, Event, ExternalId

T = TypeVar("T")


class Cursor(msgspec.Struct, frozen=True):
    """Where the next page starts. Its `url` is left out: following it would let an answer choose our next host."""

    has_more: bool = False
    next: str | None = None


class TraitsPage(msgspec.Struct, frozen=True):
    """An answer of the traits route."""

    traits: dict[str, Any]
    cursor: Cursor | None = None


class EventsPage(msgspec.Struct, frozen=True):
    """An answer of the events route, before its events are looked at one by one."""

    data: list[dict[str, Any]]
    cursor: Cursor | None = None

    @property
    def next(self) -> str:
        """The cursor of the next page; empty on the last one, in each of the forms that it takes."""
        return (self.cursor.next or "") if self.cursor is not None and self.cursor.has_more else ""

    def events(self) -> Iterable[Event]:
        """Return the events that can be read: one odd event, years old in some queue, must not hide the others."""
        for item in self.data:
            try:
                yield msgspec.convert(item, _WireEvent).event_value()
            except (msgspec.ValidationError, OverflowError):  # the latter for the first and last days of the calendar
                continue


class _WireEvent(msgspec.Struct, frozen=True):
    event: str
    timestamp: datetime
    properties: dict[str, Any] | None = None
    message_id: str | None = None

    def event_value(self) -> Event:
        timestamp = self.timestamp if self.timestamp.tzinfo else self.timestamp.replace(tzinfo=UTC)
        return Event(self.event, timestamp.astimezone(UTC), self.properties or {}, self.message_id)


class _ErrorDetail(msgspec.Struct, frozen=True):
    code: str = ""


class _ErrorBody(msgspec.Struct, frozen=True):
    error: _ErrorDetail


def decode(body: bytes, page: type[T], request_id: str | None) -> T:
    """Return an answer as its page type.

    Raises:
        Unreadable: it is not JSON, not of that shape, or nested too deep.
    """
    try:
        return msgspec.json.decode(body, type=page)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Unreadable("The Profile API's answer cannot be read.", request_id) from None


def error_code(body: bytes) -> str:
    """Return the `error.code` of an error body, or an empty text."""
    try:
        return msgspec.json.decode(body, type=_ErrorBody).error.code
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


def profile_path(space_id: str, collection: Collection, external_id: ExternalId) -> str:
    """Return a profile's path, its whole external id percent-encoded as one segment."""
    return f"/v1/spaces/{encoded(space_id)}/collections/{collection}/profiles/{encoded(str(external_id))}"


def include(names: Sequence[str]) -> str:
    """Return names as the value of `include`: joined by commas that are not encoded, each name encoded."""
    return ",".join(encoded(name) for name in names)


def encoded(text: str) -> str:
    """Return a text percent-encoded so that it stays one path segment or one query value."""
    return quote(text, safe="")
