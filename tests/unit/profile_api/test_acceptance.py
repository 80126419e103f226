"""Acceptance: a token that is refused is hardly tried again, until another one is there."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from structlog.typing import EventDict

from personalize.errors import AuthenticationFailed, ProfileApiError, RateLimited, ServerFault
from personalize.profile_api.acceptance import PROBE_SECONDS, Acceptance
from personalize.telemetry.metrics import Metrics

REFUSED = AuthenticationFailed("The Profile API answered 401.")
FAILED = ServerFault("The Profile API answered 503.")


class Bench:
    """The acceptance of a token that a test replaces, with the time that it goes by and its gauge."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rereads = 0
        self.replaced = False
        self.metrics = Metrics(CollectorRegistry())
        self.acceptance = Acceptance(self.reread, metrics=self.metrics, clock=lambda: self.now)

    async def reread(self) -> bool:
        self.rereads += 1
        replaced, self.replaced = self.replaced, False
        return replaced

    @property
    def rejected(self) -> bool:
        return self.metrics.registry.get_sample_value("personalize_access_token_rejected") == 1

    async def call(self, outcome: ProfileApiError | None = None) -> None:
        try:
            async with self.acceptance.watching():
                if outcome is not None:
                    raise outcome
        except ProfileApiError as error:
            assert error is outcome  # noqa: PT017 -- not expected of every call


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def told() -> Iterator[list[EventDict]]:
    with capture_logs() as events:
        yield events


async def test_a_refusal_stops_the_calls_for_ten_seconds(bench: Bench, told: list[EventDict]) -> None:
    """It is shown and told once, and the token is read again at once: perhaps it was replaced before we heard."""
    await bench.call(REFUSED)
    assert (bench.rejected, bench.rereads) == (True, 1)
    bench.now += PROBE_SECONDS - 0.01
    assert not bench.acceptance.admits()
    bench.now += 0.01
    assert bench.acceptance.admits()
    await bench.call(REFUSED)
    assert not bench.acceptance.admits()
    assert [event["event"] for event in told] == ["access_token_rejected"]


async def test_before_each_probe_the_token_is_read_again(bench: Bench) -> None:
    """A secret's volume may take a minute to be updated."""
    await bench.call(REFUSED)
    for rereads in (2, 3, 4):
        bench.now += PROBE_SECONDS
        await bench.call(FAILED)
        assert bench.rereads == rereads
        assert not bench.acceptance.admits()


async def test_a_replaced_token_is_used_at_once(bench: Bench, told: list[EventDict]) -> None:
    """Calls go on, and once one is accepted the alarm is over."""
    bench.replaced = True
    await bench.call(REFUSED)
    assert bench.acceptance.admits()
    assert bench.rejected
    await bench.call()
    assert not bench.rejected
    assert [event["event"] for event in told] == ["access_token_rejected", "access_token_accepted"]


async def test_a_token_that_is_replaced_later_is_found_by_a_probe(bench: Bench) -> None:
    """While it is under way others may go on with it, too."""
    await bench.call(REFUSED)
    bench.now += PROBE_SECONDS
    bench.replaced = True
    async with bench.acceptance.watching():
        assert bench.acceptance.admits()
    assert not bench.rejected


async def test_a_replaced_token_may_be_refused_too(bench: Bench) -> None:
    """Then it is as before."""
    bench.replaced = True
    await bench.call(REFUSED)
    await bench.call(REFUSED)
    assert not bench.acceptance.admits()
    assert bench.rejected


async def test_the_same_token_may_be_accepted_again(bench: Bench) -> None:
    """Whatever was wrong on the other side."""
    await bench.call(REFUSED)
    bench.now += PROBE_SECONDS
    await bench.call()
    assert bench.acceptance.admits()
    assert not bench.rejected


@pytest.mark.parametrize("outcome", [FAILED, RateLimited("The Profile API answered 429.")])
async def test_other_failures_say_nothing_of_the_token(bench: Bench, outcome: ProfileApiError) -> None:
    """Neither for it nor against it."""
    await bench.call(outcome)
    assert bench.acceptance.admits()
    await bench.call(REFUSED)
    bench.now += PROBE_SECONDS
    await bench.call(outcome)
    assert bench.rejected


@pytest.mark.parametrize("outcome", [REFUSED, None])
async def test_what_was_sent_before_no_longer_counts(bench: Bench, outcome: ProfileApiError | None) -> None:
    """A late refusal of the old token is not held against the new one, a late answer does not lift the alarm."""
    late = asyncio.Event()

    async def early() -> None:
        try:
            async with bench.acceptance.watching():
                await late.wait()
                if outcome is not None:
                    raise outcome
        except AuthenticationFailed:
            pass

    sent = asyncio.create_task(early())
    await asyncio.sleep(0)
    bench.replaced = outcome is REFUSED
    await bench.call(REFUSED)
    late.set()
    await sent
    assert bench.acceptance.admits() == (outcome is REFUSED)
    assert bench.rejected
    assert bench.rereads == 1


async def test_a_probe_that_is_given_up_makes_room(bench: Bench) -> None:
    """Also while the token is being read."""
    await bench.call(REFUSED)
    bench.now += PROBE_SECONDS
    reading = asyncio.Event()

    async def hanging() -> bool:
        reading.set()
        await asyncio.Event().wait()
        raise AssertionError

    bench.acceptance = Acceptance(hanging, metrics=bench.metrics, clock=lambda: bench.now)
    first = asyncio.create_task(bench.call(REFUSED))
    await reading.wait()
    first.cancel()
    bench.now += PROBE_SECONDS
    reading.clear()
    probe = asyncio.create_task(bench.call())
    await reading.wait()
    assert not bench.acceptance.admits()
    probe.cancel()
    await asyncio.gather(first, probe, return_exceptions=True)
    bench.now += PROBE_SECONDS
    assert bench.acceptance.admits()


@given(st.lists(st.tuples(st.floats(0, 12), st.sampled_from([REFUSED, FAILED])), max_size=50))
def test_calls_with_a_refused_token_are_ten_seconds_apart(moments: list[tuple[float, ProfileApiError]]) -> None:
    """However often somebody comes."""

    async def test() -> None:
        bench = Bench()
        await bench.call(REFUSED)
        sent = [bench.now]
        for wait, outcome in moments:
            bench.now += wait
            if bench.acceptance.admits():
                assert bench.now - sent[-1] >= PROBE_SECONDS
                sent.append(bench.now)
                await bench.call(outcome)

    asyncio.run(test())
