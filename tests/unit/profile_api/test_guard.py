"""The guard: what goes out, what goes out twice, and what does not go out at all."""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from personalize.errors import (
    AuthenticationFailed,
    InvalidRequest,
    ProfileApiError,
    ProfileNotFound,
    RateLimited,
    ServerFault,
    Shed,
    TimedOut,
    Unreachable,
    Unreadable,
)
from personalize.ports import Errand, Priority
from personalize.profile_api.breaker import FAILURES, PROBE_SECONDS
from personalize.profile_api.budget import Granted
from personalize.profile_api.guard import CONCURRENT, RESERVED, RETRY_PAUSE, RETRY_REMAINING, Guard
from personalize.telemetry.metrics import Metrics
from tests.loops import now, run
from tests.unit.profile_api.budgets import Metered

FAILED = ServerFault("The Profile API answered 503.")
Outcome = ProfileApiError | str
"""How a call ends: in an error, or with this answer."""


class Bench:
    """A guard before a Profile API that does as it is told, with all that it was sent and when."""

    def __init__(self, budget: Metered | None = None, *, chance: float = 0.5) -> None:
        self.budget = budget or Metered()
        self.metrics = Metrics(CollectorRegistry())
        self.replaced = False
        self.guard = Guard(
            self.budget, metrics=self.metrics, reread_token=self.reread, clock=now, random=lambda: chance
        )
        self.sent: list[float] = []
        self.takes = 0.0
        self.outcomes: Callable[[], Outcome] = lambda: "answer"

    async def reread(self) -> bool:
        replaced, self.replaced = self.replaced, False
        return replaced

    def does(self, *outcomes: Outcome) -> None:
        """Let the next calls end like these, and the ones after them like the last."""
        left = list(outcomes)
        self.outcomes = lambda: left.pop(0) if len(left) > 1 else left[0]

    async def call(self) -> str:
        self.sent.append(now())
        outcome = self.outcomes()
        await asyncio.sleep(self.takes)
        if isinstance(outcome, ProfileApiError):
            raise outcome
        return outcome

    async def run(self, priority: Priority = "page", *, patience: float = 0.8, limit: float = 1000.0) -> Outcome:
        """Return how an errand ends that has so long to wait, and is given up then."""
        try:
            return await self.guard.run(self.call, Errand(priority, now() + patience, now() + limit))
        except ProfileApiError as error:
            return error

    async def shed(self, priority: Priority = "page", *, patience: float = 0.8) -> str:
        """Return why an errand is shed, which it has to be, and without a call."""
        calls = len(self.sent)
        outcome = await self.run(priority, patience=patience)
        assert isinstance(outcome, Shed)
        assert len(self.sent) == calls
        return outcome.reason

    async def break_(self) -> None:
        """Let calls fail until the breaker opens."""
        self.does(FAILED)
        for _ in range(FAILURES):
            await self.run("refresh")

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"personalize_{name}", labels) or 0


def test_an_answer_is_returned() -> None:
    """One call, one of the budget, of the errand's priority."""

    async def test() -> None:
        bench = Bench()
        for priority in ("server", "page", "refresh"):
            assert await bench.run(priority) == "answer"
        assert bench.budget.asked == ["server", "page", "refresh"]
        assert len(bench.sent) == 3

    run(test())


@pytest.mark.parametrize("failure", [FAILED, Unreachable("x"), Unreadable("x")], ids=repr)
def test_a_fast_failure_is_tried_again(failure: ProfileApiError) -> None:
    """Once, after a pause of chance, and through the budget again; nothing of the first time stays in memory."""

    async def test() -> None:
        bench = Bench(chance=0.5)
        bench.does(failure, "answer")
        begun = now()
        assert await bench.run() == "answer"
        assert bench.sent == [begun, pytest.approx(begun + RETRY_PAUSE / 2)]
        assert len(bench.budget.asked) == 2
        assert bench.counted("upstream_retries_total") == 1
        assert failure.__traceback__ is None

    run(test())


def test_a_second_failure_is_the_answer() -> None:
    """There is no third try."""

    async def test() -> None:
        bench = Bench()
        second = Unreachable("x")
        bench.does(FAILED, second, "answer")
        assert await bench.run() is second
        assert second.__context__ is None
        assert len(bench.sent) == 2

    run(test())


@pytest.mark.parametrize(
    "failure",
    [TimedOut("x"), ProfileNotFound("x"), InvalidRequest("x"), AuthenticationFailed("x"), RateLimited("x")],
    ids=repr,
)
def test_slowness_and_refusals_are_not_tried_again(failure: ProfileApiError) -> None:
    """It would not help, or make it worse."""

    async def test() -> None:
        bench = Bench()
        bench.does(failure, "answer")
        assert await bench.run() is failure
        assert len(bench.sent) == 1

    run(test())


@pytest.mark.parametrize(
    ("priority", "patience", "tries"),
    [
        ("page", RETRY_REMAINING, 2),
        ("page", RETRY_REMAINING - 0.01, 1),
        ("page", -1.0, 1),
        ("server", 0.3, 2),
        ("refresh", 2.0, 1),
    ],
)
def test_only_what_is_waited_for_is_tried_again(priority: Priority, patience: float, tries: int) -> None:
    """With time enough for an answer; behind a refresh a stale answer was served already."""

    async def test() -> None:
        bench = Bench()
        bench.does(FAILED, "answer")
        await bench.run(priority, patience=patience)
        assert len(bench.sent) == tries

    run(test())


def test_retries_are_a_fifth_of_the_calls() -> None:
    """When half of all calls fail, most are not tried again."""

    async def test() -> None:
        bench = Bench()
        outcomes = 0

        def every_other() -> Outcome:
            nonlocal outcomes
            outcomes += 1
            return FAILED if outcomes % 2 else "answer"

        bench.outcomes = every_other
        for _ in range(100):
            await bench.run()
        assert 100 < len(bench.sent) <= 1.2 * 100 + 1
        assert bench.counted("upstream_retries_total") == len(bench.sent) - 100

    run(test())


def test_a_retry_that_is_not_admitted_leaves_the_first_failure() -> None:
    """That is what happened; and nothing was sent, so no retry is counted."""

    async def test() -> None:
        bench = Bench(Metered(every=1.0))
        bench.does(FAILED, "answer")
        assert await bench.run() is FAILED
        assert len(bench.sent) == 1
        assert bench.counted("upstream_retries_total") == 0
        assert bench.counted("upstream_shed_total", reason="budget") == 1

    run(test())


def test_a_late_errand_is_tried_once() -> None:
    """Its answer fills the cache; but it waits for nothing."""

    async def test() -> None:
        bench = Bench(Metered(every=0.1))
        assert await bench.run(patience=-1) == "answer"
        assert await bench.shed(patience=-1) == "budget"

    run(test())


def test_nothing_is_sent_after_a_deadline_that_passed_while_waiting() -> None:
    """The budget itself may be slow to answer."""

    class Slow(Metered):
        async def take(self, priority: Priority) -> Granted:
            await asyncio.sleep(0.05)
            return await super().take(priority)

    async def test() -> None:
        bench = Bench(Slow())
        assert await bench.shed(patience=0.04) == "budget"
        assert await bench.run(patience=-0.01) == "answer"
        assert await bench.run(patience=0.06) == "answer"

    run(test())


def test_a_retry_is_not_sent_after_the_deadline() -> None:
    """Not even when everything takes longer than it should: it is no late errand, it ran out."""

    class Slow(Metered):
        async def take(self, priority: Priority) -> Granted:
            await asyncio.sleep(0.2)
            return await super().take(priority)

    async def test() -> None:
        bench = Bench(Slow())
        bench.does(FAILED, "answer")
        assert await bench.run(patience=0.41) is FAILED
        assert len(bench.sent) == 1

    run(test())


def test_over_budget_pages_wait_and_refreshes_are_shed() -> None:
    """Each is counted by its reason."""

    async def test() -> None:
        bench = Bench(Metered(every=0.1))
        outcomes = await asyncio.gather(*(bench.run(one) for one in ("page", "page", "refresh", "server")))
        assert [str(one) for one in outcomes] == ["answer", "answer", str(Shed("budget")), "answer"]
        assert bench.sent == [pytest.approx(bench.sent[0] + wait) for wait in (0, 0.1, 0.2)]
        assert bench.counted("upstream_shed_total", reason="budget") == 1

    run(test())


@pytest.mark.parametrize(("says", "seconds"), [(7.0, 7.0), (1e9, 60.0), (None, 0.5)])
def test_a_429_pauses_the_fleet(says: float | None, seconds: float) -> None:
    """Until the time it says, at most a minute, else as chance has it; nothing is sent before."""

    async def test() -> None:
        bench = Bench()
        bench.does(RateLimited("x", retry_after=says), "answer")
        await bench.run()
        assert bench.budget.paused == [seconds]
        assert await bench.shed("refresh") == "paused"
        await asyncio.sleep(seconds - 0.01)
        assert await bench.shed("refresh") == "paused"
        await asyncio.sleep(0.01)
        assert await bench.run("refresh") == "answer"

    run(test())


def test_429s_do_not_open_the_breaker() -> None:
    """Who says that it is too much is well."""

    async def test() -> None:
        bench = Bench()
        bench.does(RateLimited("x", retry_after=0.1))
        for _ in range(20):
            assert isinstance(await bench.run("refresh"), RateLimited)
            await asyncio.sleep(0.1)
        assert bench.counted("breaker_open") == 0

    run(test())


def test_the_breaker_sheds() -> None:
    """All but a probe every five seconds; when one is answered everybody is let through again."""

    async def test() -> None:
        bench = Bench()
        await bench.break_()
        assert await bench.shed() == "breaker"
        assert bench.counted("breaker_open") == 1
        await asyncio.sleep(PROBE_SECONDS)
        assert await bench.run() is FAILED
        assert await bench.shed() == "breaker"
        bench.does("answer")
        await asyncio.sleep(PROBE_SECONDS)
        assert await bench.run() == "answer"
        assert await bench.run() == "answer"
        assert bench.counted("breaker_open") == 0

    run(test())


def test_only_one_probe_is_sent() -> None:
    """However many come at the same moment, and however long it is under way."""

    async def test() -> None:
        bench = Bench()
        await bench.break_()
        await asyncio.sleep(PROBE_SECONDS)
        bench.takes = 2 * PROBE_SECONDS
        probe = asyncio.create_task(bench.run())
        outcomes = await asyncio.gather(*(bench.run() for _ in range(50)))
        assert {str(one) for one in outcomes} == {str(Shed("breaker"))}
        await asyncio.sleep(PROBE_SECONDS)
        assert await bench.shed() == "breaker"
        await probe
        assert len(bench.sent) == FAILURES + 1

    run(test())


def test_what_waited_while_the_breaker_opened_is_not_sent() -> None:
    """It is looked at again before it goes out."""

    async def test() -> None:
        bench = Bench()
        bench.takes = 0.1
        bench.does(FAILED)
        under_way = [asyncio.create_task(bench.run("refresh")) for _ in range(FAILURES)]
        await asyncio.sleep(0.05)
        bench.budget.free_at = now() + 0.5
        assert await bench.shed() == "breaker"
        await asyncio.gather(*under_way)

    run(test())


def test_a_call_that_is_given_up_counts_as_failed() -> None:
    """At the limit of its read."""

    async def test() -> None:
        bench = Bench()
        bench.takes = 60.0
        for _ in range(FAILURES):
            begun = now()
            assert isinstance(await bench.run(limit=2.5), TimedOut)
            assert now() == pytest.approx(begun + 2.5)
        assert await bench.shed() == "breaker"

    run(test())


def test_calls_that_are_cancelled_open_no_breaker() -> None:
    """Whoever stops the service, or no longer wants an answer, says nothing of how Segment is."""

    async def test() -> None:
        bench = Bench()
        bench.takes = 60.0
        under_way = [asyncio.create_task(bench.run()) for _ in range(2 * FAILURES)]
        await asyncio.sleep(1)
        for call in under_way:
            call.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        assert all(call.cancelled() for call in under_way)
        assert (bench.counted("breaker_open"), bench.counted("breaker_openings_total")) == (0, 0)

    run(test())


def test_a_read_that_ends_while_it_waits_is_no_failure() -> None:
    """The upstream was not even asked."""

    async def test() -> None:
        bench = Bench(Metered(every=10.0))
        await bench.run()
        for _ in range(FAILURES):
            assert isinstance(await bench.run(patience=20.0, limit=1.0), TimedOut)
        assert bench.counted("breaker_open") == 0

    run(test())


def test_pages_leave_connections_to_servers() -> None:
    """However many pages wait for a Segment that is slow, and whatever is read behind visitors' backs."""

    async def test() -> None:
        bench = Bench()
        bench.takes = 1.0
        pages = [asyncio.create_task(bench.run()) for _ in range(CONCURRENT)]
        await asyncio.sleep(0.1)
        assert len(bench.sent) == CONCURRENT - RESERVED
        assert [await bench.shed("page"), await bench.shed("refresh")] == ["concurrency", "concurrency"]
        servers = [asyncio.create_task(bench.run("server")) for _ in range(RESERVED)]
        assert {str(one) for one in await asyncio.gather(*servers)} == {"answer"}
        await asyncio.gather(*pages)

    run(test())


def test_as_many_calls_are_under_way_as_the_pool_has_connections() -> None:
    """More are shed at once; those that ended make room, however they ended."""

    async def test() -> None:
        bench = Bench()
        bench.takes = 1.0
        under_way = [asyncio.create_task(bench.run("server")) for _ in range(CONCURRENT)]
        await asyncio.sleep(0.1)
        assert await bench.shed("server") == "concurrency"
        under_way[0].cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        assert await bench.run() == "answer"

    run(test())


def test_a_refused_token_sheds() -> None:
    """Before anything else is looked at; a replaced one lets the calls go on."""

    async def test() -> None:
        bench = Bench()
        bench.does(AuthenticationFailed("x"))
        await bench.run()
        await bench.run()
        assert await bench.shed() == "unauthorized"
        assert bench.counted("access_token_rejected") == 1
        await asyncio.sleep(10)
        bench.replaced = True
        bench.does("answer")
        assert await bench.run() == "answer"
        assert bench.counted("access_token_rejected") == 0

    run(test())


def test_an_unknown_profile_is_an_answer() -> None:
    """It closes the breaker and it accepts the token, as it is what Segment says to who may ask."""

    async def test() -> None:
        bench = Bench()
        await bench.break_()
        await asyncio.sleep(PROBE_SECONDS)
        nobody = ProfileNotFound("The Profile API answered 404.")
        bench.does(nobody)
        assert await bench.run() is nobody
        assert bench.counted("breaker_open") == 0

    run(test())


def test_a_defect_of_a_call_leaves_no_trace() -> None:
    """It is no failure of the upstream, and holds no place."""

    async def broken() -> str:
        raise ValueError

    async def test() -> None:
        bench = Bench()
        for _ in range(CONCURRENT + 1):
            with pytest.raises(ValueError):  # noqa: PT011 -- it has no message
                await bench.guard.run(broken, Errand("page", now() + 1))
        assert await bench.run() == "answer"

    run(test())


def test_an_outage_is_survived_and_ends_within_six_seconds() -> None:
    """A minute of nothing but 503 at 20 requests/s: few attempts, probes 5 s apart, and then an answer soon."""

    async def test() -> None:
        with capture_logs() as told:
            bench = Bench()
            bench.does(FAILED)
            for _ in range(60 * 20):
                await bench.run()
                await asyncio.sleep(0.05)
            assert len(bench.sent) <= 1.2 * 60 * 20 + 1
            probes = bench.sent[FAILURES:]
            assert len(probes) <= 61 / PROBE_SECONDS
            assert all(later - earlier >= PROBE_SECONDS for earlier, later in pairwise(probes))
            bench.does("answer")
            answered = []
            for _ in range(6 * 20):
                answered.append(await bench.run() == "answer")
                await asyncio.sleep(0.05)
            assert answered[-1]
        assert [event["event"] for event in told] == ["breaker_opened", "breaker_closed"]

    run(test())


CALLS = st.tuples(
    st.floats(0, 2),
    st.sampled_from(["server", "page", "refresh"]),
    st.floats(-0.1, 2),
    st.sampled_from([FAILED, Unreachable("x"), TimedOut("x"), RateLimited("x"), AuthenticationFailed("x"), "answer"]),
)


@given(st.lists(CALLS, max_size=40), st.floats(0, 0.3), st.floats(0, 1))
def test_attempts_are_bounded(calls: list[tuple[float, Priority, float, Outcome]], takes: float, chance: float) -> None:
    """Whatever happens, there are at most 1.2 attempts a request, and one; and nothing is left under way."""

    async def test() -> None:
        bench = Bench(Metered(every=0.05), chance=chance)
        bench.takes = takes
        errands = []
        for wait, priority, patience, outcome in calls:
            await asyncio.sleep(wait)
            bench.does(outcome)
            errands.append(asyncio.create_task(bench.run(priority, patience=patience)))
            assert len(bench.sent) <= 1.2 * len(errands) + 1
        await asyncio.gather(*errands)
        assert len(bench.sent) <= 1.2 * len(errands) + 1
        assert all(later - earlier >= 0.05 - 1e-9 for earlier, later in pairwise(bench.sent))
        bench.does("answer")
        await asyncio.sleep(120)
        assert await bench.run() == "answer"

    run(test())


def test_what_would_be_shed_at_once_is_known_without_asking() -> None:
    """By an open breaker, or a line that is full; counted as if it had been tried."""

    async def scene() -> None:
        bench = Bench()
        late = Errand("page", now() + 0.8)
        assert bench.guard.refuses(late) is None
        bench.does(ServerFault("no luck"))
        for _ in range(FAILURES):
            await bench.run("refresh")
        refused = bench.guard.refuses(late)
        assert refused is not None
        assert refused.reason == "breaker"
        labels = {"reason": "breaker"}
        assert bench.metrics.registry.get_sample_value("personalize_upstream_shed_total", labels) == 1
        assert len(bench.sent) == FAILURES

    run(scene())
