"""Answers and problems: bodies, types and how long they may be kept."""

from typing import Any

import msgspec
import pytest
from starlette.requests import Request

from personalize.engine import Outcome
from personalize.errors import (
    BadCredentials,
    BadParameter,
    PersonalizeError,
    ProofRequired,
    RecipeFailed,
    UnknownRecipe,
)
from personalize.model import Reading
from personalize.web import responses
from personalize.web.responses import Kept


def outcome(**options: Any) -> Outcome:
    given: dict[str, Any] = {
        "recipe": "hello",
        "data": msgspec.Raw(b'["a"]'),
        "personalized": True,
        "degraded": False,
        "provenance": "fresh",
        "fresh_for": 300.0,
    }
    return Outcome(**(given | options))


REQUEST = Request({"type": "http", "method": "GET", "state": {"request_id": "r1"}, "headers": []})


def test_an_answer_is_an_envelope_around_the_data() -> None:
    """The recipe's own JSON goes out as it was encoded."""
    answered = responses.answer(outcome(), REQUEST, Kept(60.0))
    assert answered.body == b'{"recipe":"hello","personalized":true,"degraded":false,"data":["a"]}'
    assert (answered.status_code, answered.headers["Content-Type"]) == (200, "application/json")
    assert answered.headers["X-Content-Type-Options"] == "nosniff"


READINGS = {
    "traits": Reading("memory", "fresh", 250.7, seconds=0.0004),
    "events": Reading("profile_api", "gone", 60.0, coalesced=True, seconds=0.1234),
}


def test_our_own_servers_are_told_where_an_answer_came_from() -> None:
    """Per section by RFC 9211, with its time in milliseconds; nobody else is told."""
    answered = responses.answer(outcome(readings=READINGS, seconds=0.0002), REQUEST, Kept(60.0, explained=True))
    assert answered.headers["Cache-Status"] == (
        "personalize-traits; hit; ttl=250; detail=memory, "
        "personalize-events; fwd=miss; collapsed; ttl=60; detail=profile_api"
    )
    assert answered.headers["Server-Timing"] == "traits;dur=0.4, events;dur=123.4, recipe;dur=0.2"
    told = responses.answer(outcome(readings=READINGS), REQUEST, Kept(60.0))
    assert not {"cache-status", "server-timing"} & {*told.headers}


@pytest.mark.parametrize(
    ("reading", "status"),
    [
        (Reading("redis", "stale", -12.5), "personalize-traits; hit; ttl=-12; detail=redis"),
        (Reading("memory", "expired", -700.0), "personalize-traits; fwd=stale; ttl=-700; detail=memory"),
        (Reading("none", "gone"), "personalize-traits; fwd=miss; detail=none"),
    ],
)
def test_a_hit_may_be_stale_and_a_miss_in_vain(reading: Reading, status: str) -> None:
    """What was served although it was stale has a `ttl` below zero."""
    answered = responses.answer(outcome(readings={"traits": reading}), REQUEST, Kept(60.0, explained=True))
    assert answered.headers["Cache-Status"] == status


def test_a_recipe_without_profile_needs_has_no_cache_status() -> None:
    """Only its own time."""
    answered = responses.answer(outcome(), REQUEST, Kept(60.0, explained=True))
    assert answered.headers["Server-Timing"] == "recipe;dur=0.0"
    assert "Cache-Status" not in answered.headers


@pytest.mark.parametrize(
    ("browser_ttl", "fresh_for", "seconds"),
    [
        (60.0, 300.0, 60),
        (60.0, 12.9, 12),
        (60.0, 0.9, 0),
        (60.0, 0.0, 0),
        (0.0, 300.0, 0),
        (60.0, float("inf"), 60),
        (0.5, float("inf"), 0),
    ],
)
def test_a_browser_keeps_an_answer_no_longer_than_it_is_fresh(
    browser_ttl: float, fresh_for: float, seconds: int
) -> None:
    """Nor longer than the setting says; and nobody else keeps it at all."""
    answered = responses.answer(outcome(fresh_for=fresh_for), REQUEST, Kept(browser_ttl))
    assert answered.headers["Cache-Control"] == f"private, max-age={seconds}"


@pytest.mark.parametrize(
    ("error", "status", "title", "code"),
    [
        (BadParameter("limit", "is required."), 400, "Bad Request", "invalid_parameter"),
        (BadCredentials("No."), 401, "Unauthorized", "bad_credentials"),
        (ProofRequired("No."), 403, "Forbidden", "proof_required"),
        (UnknownRecipe("No."), 404, "Not Found", "unknown_recipe"),
        (RecipeFailed("raised"), 500, "Internal Server Error", "recipe_failed"),
        (PersonalizeError("No."), 500, "Internal Server Error", "internal_error"),
    ],
)
def test_an_error_is_a_problem(error: PersonalizeError, status: int, title: str, code: str) -> None:
    """RFC 9457, with the code that a program may look at and the id that finds the request in the logs."""
    answered = responses.problem(error, REQUEST)
    assert msgspec.json.decode(answered.body) == {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": str(error),
        "code": code,
        "request_id": "r1",
    }
    assert answered.status_code == status
    assert answered.headers["Content-Type"] == "application/problem+json"
    assert answered.headers["Cache-Control"] == "no-store"
    assert answered.headers["X-Content-Type-Options"] == "nosniff"
    assert answered.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)


def asking(*known: str) -> Request:
    """Return a request of a browser that has answers with these validators."""
    headers = [(b"if-none-match", ", ".join(known).encode())]
    return Request({"type": "http", "method": "GET", "state": {"request_id": "r1"}, "headers": headers})


def test_a_browser_that_has_the_answer_is_told_so() -> None:
    """By a weak validator, with how long it may keep it further, and without a body."""
    first = responses.answer(outcome(), REQUEST, Kept(60.0))
    assert first.headers["ETag"].startswith('W/"')
    again = responses.answer(outcome(fresh_for=9.0), asking('W/"other"', first.headers["ETag"]), Kept(60.0))
    assert (again.status_code, again.body) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Cache-Control"] == "private, max-age=9"


@pytest.mark.parametrize("written", ["{}", "W/{}", '"other",{}', ' W/{} , "other"'])
def test_a_validator_is_known_whether_it_is_weak_or_not(written: str) -> None:
    """For a conditional read the two are compared alike; a proxy that compresses makes one of the other."""
    tag = responses.answer(outcome(), REQUEST, Kept(60.0)).headers["ETag"].removeprefix("W/")
    again = responses.answer(outcome(), asking(written.format(tag)), Kept(60.0))
    assert again.status_code == 304


def test_any_answer_is_known_to_who_says_so() -> None:
    """`*` is any."""
    assert responses.answer(outcome(), asking("*"), Kept(60.0)).status_code == 304


def test_another_answer_is_sent() -> None:
    """Its validator is another one."""
    first = responses.answer(outcome(), REQUEST, Kept(60.0))
    other = responses.answer(outcome(personalized=False), asking(first.headers["ETag"]), Kept(60.0))
    assert other.status_code == 200
    assert other.headers["ETag"] != first.headers["ETag"]
