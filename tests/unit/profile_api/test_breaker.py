"""The breaker: what opens it, how it is probed, and what closes it."""

import asyncio
from collections import deque
from contextlib import ExitStack, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from personalize.errors import (
    AuthenticationFailed,
    InvalidRequest,
    RateLimited,
    ServerFault,
    TimedOut,
    Unreachable,
    Unreadable,
)
from personalize.profile_api.breaker import FAILURES, PROBE_SECONDS, Breaker
from personalize.telemetry.metrics import Metrics

FAILED = ServerFault("The Profile API answered 503.")
REFUSED = RateLimited("The Profile API answered 429.")


class Bench:
    """A breaker, the time that it goes by, and its gauge."""

    def __init__(self) -> None:
        self.now = 0.0
        self.metrics = Metrics(CollectorRegistry())
        self.breaker = Breaker(metrics=self.metrics, clock=lambda: self.now)

    @property
    def open(self) -> bool:
        return self.metrics.registry.get_sample_value("personalize_breaker_open") == 1

    def call(self, *outcomes: BaseException | None, took: float = 0.0) -> None:
        """Make calls, one after the other; `None` is a success."""
        for outcome in outcomes:
            with suppress(BaseException), self.breaker.watching():
                self.now += took
                if outcome is not None:
                    raise outcome


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def opened(bench: Bench) -> Bench:
    bench.call(*[FAILED] * FAILURES)
    assert bench.open
    return bench


@pytest.mark.parametrize("outcome", [FAILED, Unreachable("x"), TimedOut("x"), Unreadable("x")], ids=repr)
def test_five_failures_in_a_row_open_it(bench: Bench, outcome: Exception) -> None:
    """Of whatever kind."""
    bench.call(*[outcome] * 4)
    assert bench.breaker.admits()
    bench.call(outcome)
    assert not bench.breaker.admits()
    assert bench.open


def test_a_success_in_between_keeps_it_closed(bench: Bench) -> None:
    """The row begins anew."""
    bench.call(*([FAILED] * 4 + [None]) * 20)
    assert bench.breaker.admits()


@pytest.mark.parametrize(
    "outcome",
    [REFUSED, AuthenticationFailed("x"), InvalidRequest("x"), ValueError("x"), asyncio.CancelledError()],
    ids=repr,
)
def test_a_refusal_is_neither_a_failure_nor_a_success(bench: Bench, outcome: BaseException) -> None:
    """It says nothing of how Segment is: it neither opens the breaker, nor ends a row, nor closes what is open."""
    bench.call(*[outcome] * 10)
    assert bench.breaker.admits()
    bench.call(*[FAILED] * 4, outcome, FAILED)
    assert bench.open
    bench.now += PROBE_SECONDS
    bench.call(outcome)
    assert bench.open


def test_the_first_probe_comes_after_five_seconds(opened: Bench) -> None:
    """Not before, and one at a time."""
    opened.now += PROBE_SECONDS - 0.01
    assert not opened.breaker.admits()
    opened.now += 0.01
    assert opened.breaker.admits()
    with opened.breaker.watching():
        assert not opened.breaker.admits()
        opened.now += 100
        assert not opened.breaker.admits()
    assert opened.breaker.admits()


def test_a_failed_probe_is_followed_by_another_five_seconds_later(opened: Bench) -> None:
    """Counted from its beginning, so that recovery shows within 6 s even when a probe takes its 2.5 s to fail."""
    opened.now += PROBE_SECONDS
    opened.call(TimedOut("x"), took=2.5)
    assert not opened.breaker.admits()
    opened.now += 2.5
    assert opened.breaker.admits()


def test_one_success_closes_it_and_the_past_is_forgotten(opened: Bench) -> None:
    """It takes another five failures to open it again."""
    opened.now += PROBE_SECONDS
    opened.call(None)
    assert not opened.open
    opened.call(*[FAILED] * 4)
    assert opened.breaker.admits()


@pytest.mark.parametrize("outcome", [FAILED, None])
def test_what_was_sent_before_it_turned_no_longer_counts(bench: Bench, outcome: Exception | None) -> None:
    """A late success of a call from before the trouble does not close it, a late failure does not make a new row."""
    with ExitStack() as late:
        late.enter_context(suppress(ServerFault))
        late.enter_context(bench.breaker.watching())
        bench.call(*[FAILED] * FAILURES)
        if outcome is not None:
            raise outcome
    assert bench.open
    assert not bench.breaker.admits()


def test_it_is_told_once_when_it_turns(bench: Bench) -> None:
    """Not with every call of an outage."""
    with capture_logs() as told:
        bench.call(*[FAILED] * 10)
        bench.now += PROBE_SECONDS
        bench.call(FAILED)
        bench.now += PROBE_SECONDS
        bench.call(None, None)
    assert [event["event"] for event in told] == ["breaker_opened", "breaker_closed"]


@given(st.lists(st.integers(0, 9), max_size=300))
def test_a_window_of_failures_never_stays_unnoticed(draws: list[int]) -> None:
    """Before 85 % of the last 50 calls have failed, there were five in a row."""
    bench = Bench()
    window: deque[bool] = deque(maxlen=50)
    for draw in draws:
        if not bench.breaker.admits():
            return
        failed = draw != 0
        bench.call(FAILED if failed else None)
        window.append(failed)
        assert bench.open or sum(window) < 0.85 * 50


@given(st.lists(st.tuples(st.floats(0, 4), st.sampled_from([FAILED, REFUSED, None])), max_size=100))
def test_probes_are_five_seconds_apart(moments: list[tuple[float, Exception | None]]) -> None:
    """However often it is asked, and however the probes end, as long as it stays open."""
    bench = Bench()
    bench.call(*[FAILED] * FAILURES)
    sent = [bench.now]
    for wait, outcome in moments:
        bench.now += wait
        if bench.breaker.admits():
            assert bench.now >= sent[-1] + PROBE_SECONDS
            sent.append(bench.now)
            bench.call(outcome)
        if not bench.open:
            assert outcome is None
            return
