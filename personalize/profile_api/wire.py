"""Between the Profile API's JSON and our values. Pure: bytes and strings in, values out.

Shapes are those of the Profile API documentation: Get a profile's traits, Get a profile's events, Error body.
"""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import accumulate
from typing import Annotated, Any, TypeVar, cast, get_args
from urllib.parse import quote

import msgspec

from personalize.errors import InvalidRequest, Unreadable
from personalize.model import Collection, Event, ExternalId, Link, ProfileMetadata

T = TypeVar("T")

MAX_RETRY_AFTER = 60.0
"""Seconds for which a 429 is believed, however long it says."""

MAX_DEPTH = 64
"""Objects and lists within one another. What a stack could just hold when it came, another reader of what is cached
could not: at a fixed depth it is too deep for all."""

_REQUEST_ID = re.compile(r"[\w.-]{1,128}", re.ASCII)

_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_OPENING, _CLOSING = b"[{", b"]}"
_NO_BRACKETS = bytes(set(range(256)) - set(_OPENING + _CLOSING))

_TRAILING_COMMA = re.compile(rb'("(?:[^"\\]|\\.)*+"?)|,(?=\s*[}\]])', re.DOTALL)
"""A comma before the end of an object or list; texts are matched whole, so that none is found inside of one."""


class Cursor(msgspec.Struct, frozen=True):
    """Where the next page starts. Its `url` is left out: following it would let an answer choose our next host."""

    has_more: bool = False
    next: str | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What the answers of all routes but metadata have."""

    cursor: Cursor | None = None

    @property
    def next(self) -> str:
        """The cursor of the next page; empty on the last one, in each of the forms that it takes."""
        return (self.cursor.next or "") if self.cursor is not None and self.cursor.has_more else ""


class TraitsPage(Page, frozen=True):
    """An answer of the traits route."""

    traits: dict[str, Any]


class TraitTold(msgspec.Struct, frozen=True):
    """A trait with where it comes from and when it changed."""

    value: Any
    source_id: str | None = None
    updated_at: str | None = None


class VerboseTraitsPage(Page, frozen=True):
    """A `verbose` answer of the traits route."""

    traits: dict[str, TraitTold]


class ExternalIdTold(msgspec.Struct, frozen=True):
    """An external id with where it comes from."""

    id: str
    type: str
    collection: str | None = None
    source_id: str | None = None
    created_at: str | None = None
    encoding: str | None = None
    first_message_id: str | None = None

    @property
    def value(self) -> ExternalId:
        """The id itself."""
        return ExternalId(self.type, self.id)


class ExternalIdsPage(Page, frozen=True):
    """An answer of the external_ids route."""

    data: list[ExternalIdTold]


class LinkTold(msgspec.Struct, frozen=True):
    """A profile that this one is linked to, by its external ids."""

    to_collection: str
    external_ids: list[ExternalIdTold] = []


class LinksPage(Page, frozen=True):
    """An answer of the links route, whose documented example has no cursor."""

    data: list[LinkTold]

    def links(self) -> Iterable[Link]:
        """Return the links to collections that there are."""
        for one in self.data:
            if one.to_collection in get_args(Collection):
                yield Link(cast("Collection", one.to_collection), tuple(told.value for told in one.external_ids))


class MetadataTold(msgspec.Struct, frozen=True):
    """When a profile came to be and changed, and by which messages."""

    created_at: str | None = None
    updated_at: str | None = None
    expires_at: str | None = None
    first_message_id: str | None = None
    first_source_id: str | None = None
    last_message_id: str | None = None
    last_source_id: str | None = None


class MetadataPage(msgspec.Struct, frozen=True):
    """An answer of the metadata route."""

    metadata: MetadataTold
    segment_id: str | None = None

    @property
    def value(self) -> ProfileMetadata:
        """What it tells, the times as such; one that cannot be read is not known."""
        told = self.metadata
        return ProfileMetadata(
            self.segment_id, _moment(told.created_at), _moment(told.updated_at), _moment(told.expires_at)
        )


class EventsPage(Page, frozen=True):
    """An answer of the events route, before its events are looked at one by one."""

    data: list[dict[str, Any]]

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
    code: Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,64}\Z")] = ""  # a word, that can tell nothing of a visitor


class _ErrorBody(msgspec.Struct, frozen=True):
    error: _ErrorDetail


def _moment(text: str | None) -> datetime | None:
    """Return a time in UTC; `None` for what is none."""
    try:
        told = msgspec.convert(text, datetime | None)
        return told and (told if told.tzinfo else told.replace(tzinfo=UTC)).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        return None


def decode(body: bytes, page: type[T], request_id: str | None) -> T:
    """Return an answer as its page type.

    Raises:
        Unreadable: it is not JSON, not of that shape, or nested deeper than `MAX_DEPTH`.
    """
    try:
        return _decoded(body, page)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Unreadable("The Profile API's answer cannot be read.", request_id) from None


def error_code(body: bytes) -> str:
    """Return the `error.code` of an error body, or an empty text."""
    try:
        return _decoded(body, _ErrorBody).error.code
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def request_id(header: str | None) -> str | None:
    """Return Segment's id of an answer; `None` for what is no id, as it is shown in messages and logs."""
    return header if header and _REQUEST_ID.fullmatch(header) else None


def retry_after(header: str | None, now: datetime) -> float | None:
    """Return the seconds that a `Retry-After` says to wait, at most `MAX_RETRY_AFTER`; `None` if it says nothing.

    It is a number of seconds or an HTTP date (RFC 9110, section 10.2.3); a date that is over says 0.
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        seconds = _seconds_until(header, now)
    return None if math.isnan(seconds) else min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _seconds_until(date: str, now: datetime) -> float:
    """Return how far off an HTTP date is; no number if it is none."""
    try:
        then = parsedate_to_datetime(date)
        return ((then if then.tzinfo else then.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):  # what the parser makes of garbage
        return math.nan


def _is_deep(body: bytes) -> bool:
    """Whether a body has more than `MAX_DEPTH` objects and lists within one another; brackets in texts are none."""
    if sum(map(body.count, (b"[", b"{"))) <= MAX_DEPTH:
        return False
    brackets = _TEXT.sub(b"", body).translate(None, _NO_BRACKETS)
    return max(accumulate(1 if one in _OPENING else -1 for one in brackets), default=0) > MAX_DEPTH


def _decoded(body: bytes, shape: type[T]) -> T:
    """Return a body as a shape; the documentation prints answers with trailing commas, which are forgiven."""
    if _is_deep(body):
        raise msgspec.DecodeError("nested too deep")
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return msgspec.json.decode(_TRAILING_COMMA.sub(rb"\1", body), type=shape)


def profile_path(space_id: str, collection: Collection, external_id: ExternalId) -> str:
    """Return a profile's path, its whole external id percent-encoded as one segment."""
    return f"/v1/spaces/{encoded(space_id)}/collections/{collection}/profiles/{encoded(str(external_id))}"


def query(**parameters: Sequence[str] | str | int | datetime | None) -> str:
    """Return a query string with its `?`, without what is not given, off or empty; a number is never empty.

    Lists are joined by commas that are not encoded, each name encoded; times are ISO 8601, naive ones taken for UTC.

    Raises:
        InvalidRequest: a name has a comma, which Segment would take for the end of it, encoded or not.
    """
    given = [(name, value) for name, value in parameters.items() if value or type(value) is int]
    return "?" + "&".join(f"{name}={_written(value)}" for name, value in given) if given else ""


def _written(value: Sequence[str] | str | int | datetime) -> str:
    if value is True:
        return "true"
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return encoded(aware.astimezone(UTC).isoformat().replace("+00:00", "Z"))
    if isinstance(value, str | int):
        return encoded(str(value))
    if any("," in name for name in value):
        raise InvalidRequest("A name with a comma cannot be asked for: lists of names are joined by commas.")
    return ",".join(encoded(name) for name in value)


def encoded(text: str) -> str:
    """Return a text percent-encoded so that it stays one path segment or one query value."""
    return quote(text, safe="")
