"""The short lane: what it answers, what it declines, and that nothing it answers has become wrong."""

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import Raw
from prometheus_client import CollectorRegistry
from starlette.types import Scope
from structlog.testing import capture_logs

from personalize.app.application import create_app
from personalize.engine import Outcome
from personalize.model import Reading
from personalize.telemetry.metrics import Metrics
from personalize.telemetry.pseudonym import Pseudonyms
from personalize.testing import RecordingProfileApi
from personalize.testing.services import client_of
from personalize.trust.origins import Origins
from personalize.web.access_log import AccessLog
from personalize.web.lane import ShortLane
from personalize.web.recipes import Plain, RecipeAnswers
from personalize.web.tallies import Tallies
from personalize.web.warm import ANSWER_BYTES, GIVEN, Given, WarmAnswers
from tests.connections import until
from tests.doubles import ORIGIN, settings_of

pytestmark = pytest.mark.counts_requests

ADA = "/api/recommended-posts?user_id=ada"
BROKEN = """
import time

from personalize import recipe

@recipe("broken", access="public")
def broken() -> str:
    \'\'\'Break.\'\'\'
    raise LookupError
"""
JSON_TYPE, ETAG = (b"content-type", b"application/json"), (b"etag", b'W/"1"')


@dataclass
class Basis:
    """What an answer rests on, as a test wants it."""

    right: bool = True

    def holds(self) -> bool:
        return self.right


@dataclass
class Whole:
    """An application that answers what it is told to, and counts how often it was asked."""

    basis: Basis | None = field(default_factory=Basis)
    fresh_for: float = 300.0
    status: int = 200
    asked: int = 0
    own: tuple[tuple[bytes, bytes], ...] = (ETAG,)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        outcome = Outcome(
            "mine",
            Raw(b"1"),
            personalized=True,
            degraded=False,
            provenance="fresh",
            fresh_for=self.fresh_for,
            readings={"traits": Reading("memory", "fresh", 300.0)},
            basis=self.basis,
        )
        scope.setdefault("state", {})[GIVEN] = Given("mine", "/api/{recipe}", [outcome])
        headers = [JSON_TYPE, *self.own, (b"cache-control", b"private, max-age=60"), (b"x-request-id", b"first")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"1"})


class Lane:
    """The lane before an application of a test, and the metrics that it counts in."""

    def __init__(self, whole: Whole, recipes: RecipeAnswers | None = None, **bounds: int) -> None:
        self.whole = whole
        self.metrics = Metrics(CollectorRegistry())
        self.answers = WarmAnswers(Tallies(self.metrics), AccessLog(0.0, Pseudonyms(b"k")), browser_ttl=60, **bounds)
        self._transport = httpx.ASGITransport(ShortLane(whole, self.answers, Origins([ORIGIN]), recipes))

    async def ask(self, path: str = ADA, method: str = "GET", **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=self._transport, base_url="http://service.test", headers={}) as client:
            return await client.request(
                method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )

    async def ask_with(self, headers: list[tuple[str, str]]) -> httpx.Response:
        async with httpx.AsyncClient(transport=self._transport, base_url="http://service.test") as client:
            return await client.get(ADA, headers=headers)

    async def ask_twice(self, path: str = ADA, **headers: str) -> int:
        """Return how often the application was asked by two requests."""
        before = self.whole.asked
        for _ in range(2):
            await self.ask(path, **headers)
        return self.whole.asked - before

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"personalize_{name}", labels) or 0


async def test_an_answer_is_sent_again() -> None:
    """Its bytes and its headers, with an id of its own."""
    lane = Lane(Whole())
    first, second, third = [await lane.ask() for _ in range(3)]
    assert lane.whole.asked == 1
    assert (second.content, second.headers["ETag"]) == (first.content, first.headers["ETag"])
    assert second.headers["Cache-Control"] == "private, max-age=60"
    assert set(second.headers) == set(first.headers)
    assert len({one.headers["X-Request-Id"] for one in (first, second, third)}) == 3


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer key"},
        {"accept": "text/html"},
        {"accept": "Text/HTML"},
    ],
)
async def test_who_is_to_be_told_something_of_their_own_goes_the_whole_way(headers: dict[str, str]) -> None:
    """And so does whoever comes after them."""
    lane = Lane(Whole())
    assert await lane.ask_twice(**headers) == 2
    assert await lane.ask_twice() == 1
    assert await lane.ask_twice(**headers) == 2


@pytest.mark.parametrize(
    "whole", [Whole(basis=None), Whole(status=404), Whole(fresh_for=0.0), Whole(basis=Basis(right=False))]
)
async def test_what_does_not_hold_is_not_sent_again(whole: Whole) -> None:
    """That it rests on something, was an answer, and is fresh."""
    assert await Lane(whole).ask_twice() == 2


async def test_what_does_not_hold_any_more_is_asked_anew() -> None:
    """Once; then the new answer is known."""
    lane = Lane(Whole())
    assert await lane.ask_twice() == 1
    basis, lane.whole.basis = lane.whole.basis, Basis()
    assert basis is not None
    basis.right = False
    assert await lane.ask_twice() == 1


@pytest.mark.parametrize(
    "other", [ADA + "&limit=3", ADA.replace("ada", "bob"), ADA.replace("posts", "products"), "/metrics"]
)
async def test_another_question_has_another_answer(other: str) -> None:
    """Another visitor, parameter, recipe."""
    lane = Lane(Whole())
    await lane.ask_twice()
    await lane.ask(other)
    assert lane.whole.asked == 2


async def test_an_origin_that_may_read_answers_has_its_own() -> None:
    """Since that stands in its headers; all others are told the same, for anybody may make up as many as he likes."""
    lane = Lane(Whole())
    assert await lane.ask_twice() == 1
    assert await lane.ask_twice(origin=ORIGIN) == 1
    assert await lane.ask_twice(origin="https://other.example.com") == 0
    assert await lane.ask_twice(origin="https://" + 3 * ANSWER_BYTES * "a") == 0


async def test_who_has_an_answer_already_is_told_so() -> None:
    """By the lane too, as every browser asks that was here before: without its body, and counted as what it is."""
    lane = Lane(Whole())
    first = await lane.ask()
    async with lane.answers.tallies.flushing():
        for known in ('W/"1"', '"1"', '"0", W/"1"', "*"):
            again = await lane.ask(if_none_match=known)
            assert (again.status_code, again.content) == (304, b"")
            assert set(again.headers) == set(first.headers) - {"content-type", "content-length"}
        other = await lane.ask(if_none_match='W/"2"')
        assert (other.status_code, other.content) == (200, first.content)
    assert lane.whole.asked == 1
    assert lane.count("http_responses_total", route="/api/{recipe}", status="304") == 4
    assert lane.count("http_responses_total", route="/api/{recipe}", status="200") == 1
    assert lane.count("requests_total", recipe="mine", outcome="fresh") == 5


@pytest.mark.parametrize(("theirs", "taken"), [("abc-123", True), ("not one", False), ("a" * 65, False), ("", False)])
async def test_an_id_of_a_request_is_passed_on_if_it_is_harmless(theirs: str, taken: bool) -> None:  # noqa: FBT001 -- a column
    """Whatever comes in front of the service may have given it one."""
    lane = Lane(Whole())
    assert await lane.ask_twice() == 1
    answer = await lane.ask(x_request_id=theirs)
    assert lane.whole.asked == 1
    assert (answer.headers["X-Request-Id"] == theirs) is taken


async def test_a_header_that_stands_twice_goes_the_whole_way() -> None:
    """There it is decided which of them counts."""
    lane = Lane(Whole())
    assert await lane.ask_twice() == 1
    for _ in range(2):
        await lane.ask_with([("If-None-Match", 'W/"1"'), ("If-None-Match", 'W/"2"')])
    assert lane.whole.asked == 3


async def test_what_has_no_validator_is_not_kept() -> None:
    """It is by that that all who are told the same share one answer."""
    assert await Lane(Whole(own=())).ask_twice() == 2


async def test_other_methods_and_other_routes_are_none_of_its_business() -> None:
    """They are passed on each time."""
    lane = Lane(Whole())
    assert await lane.ask_twice("/livez") == 2
    for _ in range(2):
        await lane.ask(method="POST")
    assert lane.whole.asked == 4


async def test_an_answer_is_kept_for_no_longer_than_it_is_fresh() -> None:
    """Its age is told to browsers: here less than the minute that they may keep one."""
    lane = Lane(Whole(fresh_for=30.0))
    await lane.ask()
    assert (await lane.ask()).headers["Cache-Control"] == "private, max-age=29"


async def test_the_oldest_answers_go_first() -> None:
    """Those that there is room for beside what all of them were told, which counts once."""
    paths = [f"/api/mine?user_id={number}" for number in range(3)]
    room_for_two = 2 * (ANSWER_BYTES + len("user_id=0")) + ANSWER_BYTES + len("1")
    lane = Lane(Whole(), max_bytes=room_for_two)
    for path in paths:
        await lane.ask(path)
    for path in reversed(paths):
        await lane.ask(path)
    assert lane.whole.asked == 4


async def test_what_is_asked_often_stays() -> None:
    """It is not the one kept first that goes, but the one that was not asked for the longest."""
    zero, one, two = (f"/api/mine?user_id={number}" for number in range(3))
    lane = Lane(Whole(), max_bytes=2 * (ANSWER_BYTES + len("user_id=0")) + ANSWER_BYTES + len("1"))
    for path in (zero, one, zero, two, zero):
        await lane.ask(path)
    assert lane.whole.asked == 3
    await lane.ask(one)
    assert lane.whole.asked == 4


async def test_an_answer_that_there_is_no_room_for_is_not_kept() -> None:
    """Nor does it leave anything behind."""
    lane = Lane(Whole(), max_bytes=ANSWER_BYTES)
    assert await lane.ask_twice() == 2


async def test_forgetting_people_lets_go_of_all() -> None:
    """What was sent said what was known of them."""
    lane = Lane(Whole())
    await lane.ask_twice()
    lane.answers.forget()
    assert await lane.ask_twice() == 1


async def test_what_is_sent_again_is_counted() -> None:
    """As what goes the whole way, a moment later, and for certain when the service ends."""
    lane = Lane(Whole())
    async with lane.answers.tallies.flushing():
        for _ in range(3):
            await lane.ask()
        await until(lambda: lane.count("requests_total", recipe="mine", outcome="fresh") == 2)
        await lane.ask()
    assert lane.count("requests_total", recipe="mine", outcome="fresh") == 3
    assert lane.count("request_seconds_count", recipe="mine") == 3
    assert lane.count("http_responses_total", route="/api/{recipe}", status="200") == 3
    assert lane.count("cache_reads_total", section="traits", tier="memory") == 3
    assert lane.count("sections_total", section="traits", outcome="fresh") == 3
    assert lane.count("request_seconds_bucket", recipe="mine", le="+Inf") == 3
    assert 0 < lane.count("request_seconds_sum", recipe="mine") < 60


async def test_a_real_answer_comes_by_the_lane() -> None:
    """From the third request on: the first is read of Segment, the second of memory."""
    api = RecordingProfileApi({"user_id:ada": {"traits": {"favorite_blog_category": "tea"}}})
    async with client_of(create_app(settings_of(), transport=api.transport)) as client:
        answers = [await client.get(ADA) for _ in range(4)]
        assert len({one.content for one in answers}) == 1
        assert 'personalized":true' in answers[0].text
        assert await _looked_up(client) == 2


async def test_a_browser_that_comes_back_warms_the_lane_too() -> None:
    """What it is not sent, since it has it, is sent to whoever comes next; both are told the same as the whole way."""
    api = RecordingProfileApi({"user_id:ada": {"traits": {"favorite_blog_category": "tea"}}})
    async with client_of(create_app(settings_of(), transport=api.transport)) as client:
        first = await client.get(ADA, headers={"Origin": ORIGIN})
        back = {"Origin": ORIGIN, "If-None-Match": first.headers["ETag"], "X-Request-Id": "mine"}
        known = [await client.get(ADA, headers=back) for _ in range(4)]
        again = await client.get(ADA, headers={"Origin": ORIGIN})
        assert await _looked_up(client) == 2
    assert {(one.status_code, one.content, one.headers["X-Request-Id"]) for one in known} == {(304, b"", "mine")}
    assert len({frozenset(_lasting(one)) for one in known}) == 1
    assert (again.content, _lasting(again)) == (first.content, _lasting(first))


def _lasting(answer: httpx.Response) -> set[tuple[str, str]]:
    """Return the headers that are the same each time."""
    return {one for one in answer.headers.items() if one[0] not in {"x-request-id", "cache-control"}}


async def _looked_up(client: httpx.AsyncClient) -> int:
    """Return how many answers were looked up in the memo, which the lane does not ask."""
    text = (await client.get("/metrics")).text
    return sum(
        int(float(line.split()[-1])) for line in text.splitlines() if line.startswith("personalize_memo_reads_total{")
    )


async def test_a_recipe_that_failed_in_the_lane_is_not_asked_again(tmp_path: Path) -> None:
    """The whole way tells what became of it; with a slow one each page would wait twice."""
    (tmp_path / "own.py").write_text(BROKEN)
    app = create_app(settings_of(RECIPES=str(tmp_path / "own.py")), transport=RecordingProfileApi({}).transport)
    async with client_of(app) as client:
        answer = await client.get("/api/broken?user_id=ada")
        assert (answer.status_code, answer.json()["code"]) == (500, "recipe_failed")
        counted = (await client.get("/metrics")).text
    assert 'personalize_recipe_failures_total{reason="raised",recipe="broken"} 1.0' in counted
    assert 'personalize_requests_total{outcome="error",recipe="broken"} 1.0' in counted


async def test_a_recipe_that_is_late_in_the_lane_has_taken_its_time(tmp_path: Path) -> None:
    """In the metrics and in the log, though the whole way had its answer at once."""
    (tmp_path / "own.py").write_text(BROKEN.replace("raise LookupError", "time.sleep(0.3)\n    return ''"))
    app = create_app(settings_of(RECIPES=str(tmp_path / "own.py")), transport=RecordingProfileApi({}).transport)
    with capture_logs() as events:
        async with client_of(app) as client:
            assert (await client.get("/api/broken?user_id=ada&timeout_ms=50")).status_code == 500
            counted = (await client.get("/metrics")).text
    [taken] = re.findall(r'personalize_request_seconds_sum\{recipe="broken"\} (\S+)', counted)
    [line] = [one for one in events if one["event"] == "request_answered"]
    assert float(taken) >= 0.05
    assert line["milliseconds"] >= 50


async def test_a_defect_of_the_lane_costs_nobody_an_answer() -> None:
    """The whole way is gone instead, and the log tells where it was, without what it said."""

    class Defective(RecipeAnswers):
        def __init__(self) -> None: ...

        async def plainly(self, scope: Scope) -> Plain | None:
            raise LookupError(scope["query_string"])

    lane = Lane(Whole(), Defective())
    with capture_logs() as events:
        assert (await lane.ask()).content == b"1"
    [event] = [one for one in events if one["event"] == "lane_failed"]
    assert (event["error"], "ada" in str(event), lane.whole.asked) == ("LookupError", False, 1)


@pytest.mark.parametrize("markup", ["text/html", "TEXT/HTML", "text/Html, */*"])
async def test_markup_is_for_those_alone_who_asked_for_it(markup: str) -> None:
    """However they write it: whoever comes next and wants JSON is not given what they were sent."""
    api = RecordingProfileApi({"user_id:ada": {"traits": {"favorite_blog_category": "tea"}}})
    async with client_of(create_app(settings_of(), transport=api.transport)) as client:
        for _ in range(3):
            assert "text/html" in (await client.get(ADA, headers={"Accept": markup})).headers["Content-Type"]
        assert (await client.get(ADA)).headers["Content-Type"] == "application/json"


async def test_a_page_comes_by_the_lane_too() -> None:
    """All of its recipes are counted each time; a page with a refusal goes the whole way."""
    api = RecordingProfileApi({"user_id:ada": {"traits": {"favorite_blog_category": "tea"}}})
    async with client_of(create_app(settings_of(), transport=api.transport)) as client:
        page = "/api/personalize?recipes=one:recommended-posts,two:recommended-posts&two.limit=1&user_id=ada"
        answers = [await client.get(page) for _ in range(5)]
        assert len({one.content for one in answers}) == 1
        assert await _looked_up(client) == 4
        refused = page.replace("two:recommended-posts", "two:customer-context").replace("two.limit=1&", "")
        for _ in range(3):
            await client.get(refused)
        assert await _looked_up(client) == 7


async def test_a_crowd_is_answered_alike() -> None:
    """Whoever of them comes by which way."""
    api = RecordingProfileApi({"user_id:ada": {"traits": {"favorite_blog_category": "tea"}}})
    async with client_of(create_app(settings_of(), transport=api.transport)) as client:
        answers = await asyncio.gather(*(client.get(ADA) for _ in range(50)))
        answers += await asyncio.gather(*(client.get(ADA) for _ in range(50)))
    assert len({one.content for one in answers}) == 1
    assert len(api.calls) == 1
