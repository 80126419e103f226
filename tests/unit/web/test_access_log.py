"""The log of answers: which of them get a line, what it says, and what it never says."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from structlog.testing import capture_logs

from personalize.model import Visitor
from personalize.telemetry import logs
from personalize.telemetry.pseudonym import Pseudonyms
from personalize.testing import RecordingProfileApi, service
from personalize.testing.services import API_KEY
from personalize.web.access_log import AccessLog, Answered, Line
from tests.doubles import UUID

pytestmark = pytest.mark.counts_requests

ADA = "/api/recommended-posts?user_id=ada"
CANARY = "canary-never-logged"


@pytest.fixture
def api() -> RecordingProfileApi:
    return RecordingProfileApi({"user_id:ada": {"traits": {"favorite_blog_category": "tea"}}})


@contextmanager
def lines() -> Iterator[list[dict[str, object]]]:
    """Yield the lines about answers that are written while the body runs."""
    found: list[dict[str, object]] = []
    with capture_logs() as events:
        yield found
    found += [dict(one) for one in events if one["event"] == "request_answered"]


async def test_a_fresh_answer_is_no_news(api: RecordingProfileApi) -> None:
    """By either way; nor are probes, metrics, or that a browser has the answer already."""
    async with service(api) as client:
        with lines() as told:
            for _ in range(4):
                answered = await client.get(ADA)
            await client.get(ADA, headers={"If-None-Match": answered.headers["ETag"]})
            for path in ("/livez", "/readyz", "/metrics"):
                await client.get(path)
    assert told == []


async def test_what_is_not_fresh_is_told_with_all_that_helps(api: RecordingProfileApi) -> None:
    """Route, status, outcome, tier, time, the request's id, and the visitor as a hash."""
    async with service(api, HASH_KEY="h" * 16) as client:
        with lines() as told:
            answered = await client.get("/api/recommended-posts?user_id=nobody")
    [line] = told
    assert isinstance(line.pop("milliseconds"), float)
    assert line == {
        "event": "request_answered",
        "log_level": "info",
        "request_id": answered.headers["X-Request-Id"],
        "method": "GET",
        "route": "/api/{recipe}",
        "status": 200,
        "outcome": "negative",
        "tier": "profile_api",
        "visitor": Pseudonyms(b"h" * 16 + b"\0space1")("users", "user_id:nobody"),
    }


@pytest.mark.parametrize(
    ("path", "status", "outcome"),
    [
        ("/api/recommended-posts?user_id=ada&limit=0", 400, "invalid"),
        ("/api/no-such?user_id=ada", 404, "unknown"),
        ("/api/customer-context?user_id=ada", 401, "denied"),
        (f"/{CANARY}", 404, None),
    ],
)
async def test_a_refusal_is_told(path: str, status: int, outcome: str | None, api: RecordingProfileApi) -> None:
    """By its label; a path that is none of ours is not repeated."""
    async with service(api) as client:
        with lines() as told:
            assert (await client.get(path)).status_code == status
    assert [(one["status"], one.get("outcome")) for one in told] == [(status, outcome)]
    assert [str(one["status"]) for one in told] == [repr(one["status"]) for one in told] == [str(status)]
    assert CANARY not in str(told)


async def test_a_page_is_told_by_its_worst_recipe(api: RecordingProfileApi) -> None:
    """An entry that the caller may not have makes the page's line, though the page is a 200."""
    page = "/api/personalize?recipes=recommended-posts,customer-context&user_id=ada"
    async with service(api) as client:
        with lines() as told:
            assert (await client.get(page)).status_code == 200
    assert [(one["route"], one["status"], one["outcome"]) for one in told] == [("/api/personalize", 200, "denied")]


async def test_a_failure_of_segment_is_told_as_a_default(api: RecordingProfileApi) -> None:
    """The visitor got content, and the line says that nothing was known."""
    api.failure = httpx.ConnectError("away")
    async with service(api) as client:
        with lines() as told:
            await client.get(ADA)
    assert [(one["status"], one["outcome"], one["tier"]) for one in told] == [(200, "default", "none")]


@pytest.mark.parametrize("choice", ["all", "sampled:1"])
async def test_all_are_told_by_either_way(choice: str, api: RecordingProfileApi) -> None:
    """The first is read of Segment, the second of memory, the others come by the short lane with ids of their own."""
    async with service(api, ACCESS_LOG=choice) as client:
        with lines() as told:
            answers = [await client.get(ADA) for _ in range(4)]
    assert [one["request_id"] for one in told] == [one.headers["X-Request-Id"] for one in answers]
    assert [one["tier"] for one in told] == ["profile_api", "memory", "memory", "memory"]
    assert {one["outcome"] for one in told} == {"fresh"}
    assert len({one["visitor"] for one in told}) == 1


@pytest.mark.parametrize("choice", ["problems", "all"])
async def test_nothing_of_a_visitor_is_told(choice: str, api: RecordingProfileApi) -> None:
    """Neither ids nor queries, keys or tokens, however they are sent."""
    async with service(api, ACCESS_LOG=choice) as client:
        with capture_logs() as told:
            await client.get(f"/api/recommended-posts?user_id={CANARY}&anonymous_id={UUID}")
            await client.get(f"/api/recommended-posts?{CANARY}={CANARY}")
            await client.get(f"/{CANARY}?{CANARY}")
            await client.get(ADA, headers={"Authorization": f"Bearer {CANARY}"})
            await client.post("/api/personalize", json={"user_id": CANARY, "recipes": [{"name": CANARY}]})
            await client.get(ADA, headers={"Authorization": f"Bearer {API_KEY}"})
    assert not [secret for secret in (CANARY, UUID, API_KEY) if secret in str(told)]


def test_a_sample_is_as_large_as_was_said() -> None:
    """Of sound answers; every problem is told whatever the chance."""
    chances = iter([0.005, 0.5, 0.0099, 0.01])
    log = AccessLog(0.01, Pseudonyms(b"k"), random=lambda: next(chances))
    sound, problem = Line("GET", "/api/{recipe}", 200, "fresh"), Line("GET", "/api/{recipe}", 200, "stale")
    with lines() as told:
        for _ in range(4):
            log.tell(sound, "r-1", 0.001)
        log.tell(problem, "r-2", 0.001)
    assert [one["request_id"] for one in told] == ["r-1", "r-1", "r-2"]


def test_an_outage_is_no_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of answers alike some are told and the others summed up when their time is over; another kind has its own."""
    clock = [100.0]
    monkeypatch.setattr("personalize.telemetry.logs.time.monotonic", lambda: clock[0])
    log = AccessLog(0.0, Pseudonyms(b"k"))
    with capture_logs() as told:
        for _ in range(1000):
            log.tell(Line("GET", "/api/{recipe}", 200, "default"), "r", 0.8)
        log.tell(Line("GET", "/api/{recipe}", 200, "stale"), "r", 0.8)
        logs.summarise()
        assert len(told) == logs.LINES_ALIKE + 1
        clock[0] += logs.REPEAT_SECONDS
        logs.summarise()
        logs.summarise()
    assert {name: told[-1][name] for name in ("event", "of", "what", "count")} == {
        "event": "event_repeated",
        "of": "request_answered",
        "what": "/api/{recipe} 200 default",
        "count": 1000 - logs.LINES_ALIKE,
    }
    assert len(told) == logs.LINES_ALIKE + 2


def test_of_sound_answers_nothing_is_made_ready_where_none_is_told() -> None:
    """Nobody is hashed for a line that is never written; for all others everything is."""
    answered = Answered(Visitor(user_id="ada"), [])
    log = AccessLog(0.0, Pseudonyms(b"k"))
    assert log.line("GET", "/api/{recipe}", 200, answered, None).visitor is None
    assert log.line("GET", "/api/{recipe}", 403, answered, "proof_required").visitor is not None


def test_all_is_all() -> None:
    """Who wants every line gets every line, however alike they are."""
    log = AccessLog(1.0, Pseudonyms(b"k"))
    with lines() as told:
        for _ in range(logs.LINES_ALIKE * 3):
            log.tell(Line("GET", "/api/{recipe}", 200, "default"), "r", 0.8)
    assert len(told) == logs.LINES_ALIKE * 3


@pytest.mark.parametrize(
    ("visitor", "hashed"),
    [
        (Visitor(user_id="ada", anonymous_id=UUID), ("users", "user_id:ada")),
        (Visitor(group_id="acme"), ("accounts", "group_id:acme")),
        (Visitor(), None),
    ],
)
def test_a_visitor_is_hashed_by_the_id_that_is_asked_first(visitor: Visitor, hashed: tuple[str, str] | None) -> None:
    """As its key in Redis is, of a user or an account."""
    pseudonyms = Pseudonyms(b"k")
    line = AccessLog(1.0, pseudonyms).line("GET", "/api/{recipe}", 200, Answered(visitor, []), None)
    assert line.visitor == (None if hashed is None else pseudonyms(*hashed))
    assert (line.outcome, line.tier) == (None, None)
