"""Ids and names become paths and queries unharmed; documented JSON becomes values, anything else a refusal."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize.errors import Unreadable
from personalize.model import Event, ExternalId, ProfileMetadata
from personalize.profile_api import wire

CANARY = "secret-of-a-visitor"
ids = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=255)


@given(value=ids)
def test_any_id_is_one_path_segment_that_decodes_to_it(value: str) -> None:
    """Whatever an id holds, the path keeps its shape and the id arrives as it was."""
    path = wire.profile_path("space1", "users", ExternalId("user_id", value))
    *_, segment = path.split("/")
    assert path == f"/v1/spaces/space1/collections/users/profiles/{segment}"
    assert unquote(segment) == f"user_id:{value}"
    assert segment.isascii()
    assert not set(segment) & set("?#&=+ ")


@pytest.mark.parametrize(
    ("value", "segment"),
    [
        ("u1", "user_id%3Au1"),
        ("+5555550123", "user_id%3A%2B5555550123"),
        ("a/b", "user_id%3Aa%2Fb"),
        ("..", "user_id%3A.."),
        ("../../x", "user_id%3A..%2F..%2Fx"),
        ("%2f", "user_id%3A%252f"),
        ("a?b", "user_id%3Aa%3Fb"),
        ("a#b", "user_id%3Aa%23b"),
        ("a b", "user_id%3Aa%20b"),
        ("a:b", "user_id%3Aa%3Ab"),
        ("ü", "user_id%3A%C3%BC"),
        ("🦊", "user_id%3A%F0%9F%A6%8A"),
        ("a\\b;c@d", "user_id%3Aa%5Cb%3Bc%40d"),
    ],
)
def test_an_id_is_percent_encoded(value: str, segment: str) -> None:
    """Each character that could mean something in a URL goes out encoded, `+` as the documentation asks."""
    path = wire.profile_path("space1", "users", ExternalId("user_id", value))
    assert path == f"/v1/spaces/space1/collections/users/profiles/{segment}"


def test_a_path_names_its_space_and_collection() -> None:
    """Accounts have a path of their own, and a space id cannot leave its segment either."""
    path = wire.profile_path("a/b", "accounts", ExternalId("group_id", "g1"))
    assert path == "/v1/spaces/a%2Fb/collections/accounts/profiles/group_id%3Ag1"


@pytest.mark.parametrize(
    ("names", "value"),
    [
        (["age"], "age"),
        (["first_name", "city"], "first_name,city"),
        (["Invited User?", "a&b=c"], "Invited%20User%3F,a%26b%3Dc"),
        (["100%", "größe"], "100%25,gr%C3%B6%C3%9Fe"),
        ([], ""),
    ],
)
def test_include_joins_encoded_names_by_plain_commas(names: list[str], value: str) -> None:
    """A name cannot end the parameter, and the commas stay what separates."""
    assert wire.query(include=names) == (f"?include={value}" if value else "")


def test_a_naive_time_is_in_utc() -> None:
    """Whatever zone this machine is in; an aware one is converted."""
    naive = datetime(2026, 11, 20, 10)  # noqa: DTZ001 -- on purpose
    zoned = datetime(2026, 11, 20, 12, tzinfo=timezone(timedelta(hours=2)))
    assert wire.query(start=naive) == wire.query(start=zoned) == "?start=2026-11-20T10%3A00%3A00Z"


def test_a_limit_of_zero_goes_out() -> None:
    """The Profile API says what it thinks of it; what is off or not given stays away."""
    assert wire.query(limit=0, verbose=False, start=None, next="", include=()) == "?limit=0"


def traits(**page: Any) -> wire.TraitsPage:
    return wire.decode(json.dumps(page).encode(), wire.TraitsPage, None)


def events(*data: object) -> list[Event]:
    body = json.dumps({"data": data}).encode()
    return list(wire.decode(body, wire.EventsPage, None).events())


def test_a_page_of_traits_is_read() -> None:
    """The documented answer: traits of any JSON type, and a cursor with more to come."""
    values = {"3_views": False, "Campaign Name": "Organic", "n": 33, "ids": ["a", {"b": None}], "gone": None}
    page = traits(traits=values, cursor={"url": "https://x.test/", "has_more": True, "next": "browser", "limit": 10})
    assert page.traits == values
    assert page.cursor == wire.Cursor(has_more=True, next="browser")


@pytest.mark.parametrize(
    "cursor",
    [
        {"url": "", "has_more": False, "next": "", "limit": 10},
        {"url": "/v1/spaces/x", "has_more": False, "next": ""},
        {"url": "", "has_more": False, "next": None},
        {"has_more": False},
        {},
        None,
    ],
)
def test_every_last_page_is_a_last_page(cursor: dict[str, object] | None) -> None:
    """An empty, missing or null `next` or cursor ends a list."""
    page = traits(traits={}, cursor=cursor)
    assert page.cursor is None or (page.cursor.has_more is False and not page.cursor.next)


def test_a_page_may_have_no_cursor() -> None:
    """The links route's documented answer has none, so none is required anywhere."""
    assert traits(traits={"a": 1}).cursor is None


def test_a_url_that_an_answer_names_is_not_kept() -> None:
    """What is not there cannot be followed."""
    assert "url" not in wire.Cursor.__struct_fields__


def test_an_event_is_read() -> None:
    """The documented event: its name, time in UTC, properties and message id; the rest is left."""
    documented = {
        "external_ids": [{"collection": "users", "type": "user_id", "id": "c0HN02fNe1", "encoding": "none"}],
        "context": {"ip": "73.92.233.78"},
        "type": "track",
        "message_id": "ajs-1",
        "source_id": "CRx5M9uk2p",
        "timestamp": "2018-01-05T00:16:35.663Z",
        "properties": {"name": "Docs"},
        "event": "Page Viewed",
        "related": {"users": "use_1"},
    }
    when = datetime(2018, 1, 5, 0, 16, 35, 663000, tzinfo=UTC)
    assert events(documented) == [Event("Page Viewed", when, {"name": "Docs"}, "ajs-1")]


@pytest.mark.parametrize(
    ("written", "hour"),
    [
        ("2026-11-20T10:00:00", 10),
        ("2026-11-20T10:00:00Z", 10),
        ("2026-11-20T12:00:00+02:00", 10),
        ("2026-11-20T05:00:00.000000000-05:00", 10),
    ],
)
def test_timestamps_are_in_utc(written: str, hour: int) -> None:
    """A time with an offset is converted, one without is UTC already."""
    (read,) = events({"event": "a", "timestamp": written})
    assert read.timestamp == datetime(2026, 11, 20, hour, tzinfo=UTC)
    assert read.timestamp.tzinfo is UTC


@pytest.mark.parametrize("missing", [{}, {"properties": None, "message_id": None}])
def test_an_event_needs_no_properties(missing: dict[str, None]) -> None:
    """A Track call without properties is an event without properties."""
    (read,) = events({"event": "a", "timestamp": "2026-11-20T10:00:00Z"} | missing)
    assert read.properties == {}
    assert read.message_id is None


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"event": "odd"},
        {"event": None, "timestamp": "2026-11-20T10:00:00Z"},
        {"event": ["odd"], "timestamp": "2026-11-20T10:00:00Z"},
        {"timestamp": "2026-11-20T10:00:00Z", "type": "page"},
        {"event": "odd", "timestamp": None},
        {"event": "odd", "timestamp": 1700000000},
        {"event": "odd", "timestamp": "yesterday"},
        {"event": "odd", "timestamp": "2026-13-45T10:00:00Z"},
        {"event": "odd", "timestamp": "2026-11-20T10:00:00Z", "properties": ["a"]},
    ],
)
def test_an_odd_event_hides_no_other(odd: dict[str, object]) -> None:
    """What cannot be read is skipped, its neighbours on both sides are kept."""
    good = {"event": "good", "timestamp": "2026-11-20T10:00:00Z"}
    assert [event.name for event in events(good, odd, good)] == ["good", "good"]


UNREADABLE = {
    "nothing": b"",
    "html": f"<html>{CANARY}</html>".encode(),
    "a list": f'["{CANARY}"]'.encode(),
    "null": b"null",
    "a number": b"42",
    "no traits": f'{{"data": "{CANARY}"}}'.encode(),
    "null traits": b'{"traits": null}',
    "traits in a list": f'{{"traits": ["{CANARY}"]}}'.encode(),
    "truncated": f'{{"traits": {{"a": "{CANARY}'.encode(),
    "two trailing commas": f'{{"traits": {{"a": "{CANARY}",,}}}}'.encode(),
    "a trailing comma and a wrong shape": f'{{"traits": ["{CANARY}",]}}'.encode(),
    "500,000 escaped quotes": b'{"traits": {"a": "' + b'\\"' * 500_000,
    "two values": b'{"traits": {}}{"traits": {}}',
    "NaN": b'{"traits": {"a": NaN}}',
    "Infinity": b'{"traits": {"a": -Infinity}}',
    "a number past floats": b'{"traits": {"a": 1e999}}',
    "an integer of 10,000 digits": b'{"traits": {"a": ' + b"9" * 10_000 + b"}}",
    "100,000 levels": b'{"traits": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "100,000 open levels": b'{"traits": {"a": ' + b'{"b":' * 100_000,
    "not UTF-8": b'{"traits": {"a": "\xff\xfe"}}',
    "a name that is not UTF-8": b'{"traits": {"\xff": 1}}',
    "half a surrogate pair": b'{"traits": {"a": "\\ud800"}}',
    "a cursor of another shape": f'{{"traits": {{}}, "cursor": "{CANARY}"}}'.encode(),
    "a cursor that is a number": b'{"traits": {}, "cursor": {"has_more": true, "next": 7}}',
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_undocumented_answer_is_refused_without_quoting_it(body: bytes) -> None:
    """The error says whose answer it was, by Segment's id of it, and nothing that was in it."""
    with pytest.raises(Unreadable) as refused:
        wire.decode(body, wire.TraitsPage, "1111-2222")
    assert str(refused.value) == "The Profile API's answer cannot be read. (Request-Id 1111-2222)"
    assert refused.value.request_id == "1111-2222"
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def nested(levels: int) -> bytes:
    """Return an answer that has so many objects and lists within one another, each beside texts full of brackets."""
    inner = levels - 2
    return b'{"traits": {"a": ' + b'["\\"]}", {}, ' * inner + b'"[[{"' + b"]" * inner + b"}}"


@pytest.mark.parametrize("levels", [3, 60, wire.MAX_DEPTH - 1])
def test_what_is_nested_is_read(levels: int) -> None:
    """As deep as any trait of a person's would be; what stands side by side, or in a text, counts for nothing."""
    assert wire.decode(nested(levels), wire.TraitsPage, None).traits.keys() == {"a"}


@pytest.mark.parametrize("levels", [wire.MAX_DEPTH + 1, 100, 500, 900, 950, 1000, 100_000])
@pytest.mark.parametrize("comma", [b"", b","], ids=["as it is", "trailing comma"])
def test_what_is_nested_too_deep_is_refused(levels: int, comma: bytes) -> None:
    """At the same depth for everybody, however much of the stack is left: also what one reader could just take."""
    body = nested(levels)
    with pytest.raises(Unreadable):
        wire.decode(body[:-1] + comma + b"}", wire.TraitsPage, None)


def test_trailing_commas_are_forgiven() -> None:
    """The documentation prints its answers with them; a comma in a text is no such comma."""
    printed = b"""{
      "traits": {
        "first_name": "Bob, or ,} or \\\\\\",]",
        "list": [1, [2, ], ],
        "emails_opened_last_30_days": 33,
      },
      "cursor": {"has_more": false, "next": "",},
    }"""
    page = wire.decode(printed, wire.TraitsPage, None)
    assert page.traits == {"first_name": 'Bob, or ,} or \\",]', "list": [1, [2]], "emails_opened_last_30_days": 33}


@pytest.mark.parametrize("data", [None, {}, "x", ["x"], [None], [[]]])
def test_events_that_are_no_list_of_objects_are_refused(data: object) -> None:
    """A page whose shape is another cannot be read event by event."""
    with pytest.raises(Unreadable):
        wire.decode(json.dumps({"data": data}).encode(), wire.EventsPage, None)


def test_large_integers_keep_their_digits() -> None:
    """An id of twenty digits is not rounded."""
    assert traits(traits={"id": 12345678901234567890123}).traits == {"id": 12345678901234567890123}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (
            b'{"error": {"code": "validation_error", "message": "The parameter `collection` has `!`"}}',
            "validation_error",
        ),
        (b'{"error": {"code": "not_found", "message": "Profile was not found.", "more": [1]}}', "not_found"),
        (b'{"error": {"message": "no code"}}', ""),
        (b'{"error": {"code": null}}', ""),
        (b'{"error": {"code": 404}}', ""),
        (b'{"error": "not_found"}', ""),
        (b'{"error": null}', ""),
        (b'{"code": "not_found"}', ""),
        (b"[]", ""),
        (b"", ""),
        (b"<html>502 Bad Gateway</html>", ""),
        (b'{"error": {"code": "not_found",},}', "not_found"),
        (b'{"error": {"code": "not_found",,}}', ""),
        (b'{"error": {"code": "No such visitor: u1"}}', ""),
        (b'{"error": {"code": "\xff"}}', ""),
        (b"[" * 100_000, ""),
    ],
)
def test_the_code_of_an_error_body(body: bytes, code: str) -> None:
    """The documented error tells its code; whatever else comes with a bad status tells none."""
    assert wire.error_code(body) == code


@pytest.mark.parametrize("timestamp", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_a_moment_past_the_calendar_hides_no_other_event(timestamp: str) -> None:
    """The first and the last day of the calendar have no UTC in some zones."""
    good = {"event": "Viewed", "timestamp": "2026-11-20T10:00:00Z"}
    assert [event.name for event in events({**good, "timestamp": timestamp}, good)] == ["Viewed"]


NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("60", 60.0),
        ("61", 60.0),
        ("1e9", 60.0),
        ("inf", 60.0),
        ("9" * 5000, 60.0),
        ("-5", 0.0),
        ("-inf", 0.0),
        ("Sun, 22 Nov 2026 12:00:07 GMT", 7.0),
        ("Sunday, 22-Nov-26 12:00:07 GMT", 7.0),
        ("Sun Nov 22 12:00:07 2026", 7.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 60.0),
        ("nan", None),
        ("", None),
        ("soon", None),
        ("7 seconds", None),
        ("Sun, 99 Nov 2026 12:00:07 GMT", None),
        ("Sun, 22 Nov 2026 12:00:07 +99999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    """Both forms, dates in all three spellings; what says nothing gives nothing, and nobody waits for ever."""
    assert wire.retry_after(header, NOW) == seconds


@given(st.text() | st.text("0123456789:+- ,GMTJanSu/."))
def test_retry_after_may_be_anything(header: str) -> None:
    """No text is too odd."""
    seconds = wire.retry_after(header, NOW)
    assert seconds is None or 0 <= seconds <= wire.MAX_RETRY_AFTER


@pytest.mark.parametrize(
    ("told", "moment"),
    [
        ("2018-01-05T00:16:36.919Z", datetime(2018, 1, 5, 0, 16, 36, 919_000, tzinfo=UTC)),
        ("2018-01-05T01:16:36+01:00", datetime(2018, 1, 5, 0, 16, 36, tzinfo=UTC)),
        ("2018-01-05T00:16:36", datetime(2018, 1, 5, 0, 16, 36, tzinfo=UTC)),
        (None, None),
        ("", None),
        ("soon", None),
        ("0001-01-01T00:00:00+01:00", None),
    ],
)
def test_the_times_of_metadata_are_times(told: str | None, moment: datetime | None) -> None:
    """In UTC; one that cannot be read hides none of the others."""
    page = wire.MetadataPage(wire.MetadataTold(created_at=told, updated_at="2018-01-05T00:00:00Z"), "use_1")
    assert page.value == ProfileMetadata("use_1", moment, datetime(2018, 1, 5, tzinfo=UTC))
