"""Pauses: what a 429 says, or does not say, becomes a pause of the whole fleet."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from personalize.errors import ProfileApiError, RateLimited, ServerFault
from personalize.ports import Priority
from personalize.profile_api.budget import Granted
from personalize.profile_api.pauses import Pauses
from personalize.telemetry.metrics import Metrics
from tests.loops import now, run


class Bench:
    """Pauses with a chance that a test chooses, and a budget that records what it is told."""

    def __init__(self, chance: float = 1.0) -> None:
        self.told: list[float] = []
        self.pauses = Pauses(self, now, lambda: chance, metrics=Metrics(CollectorRegistry()))

    async def take(self, priority: Priority) -> Granted:
        raise AssertionError

    async def pause(self, seconds: float) -> None:
        self.told.append(seconds)

    async def call(self, outcome: ProfileApiError | None = None, *, takes: float = 0.1) -> None:
        """Make a call that ends like this; `None` is a success."""
        try:
            async with self.pauses.watching():
                await asyncio.sleep(takes)
                if outcome is not None:
                    raise outcome
        except ProfileApiError as error:
            assert error is outcome  # noqa: PT017 -- not expected of every call

    async def row(self, *outcomes: ProfileApiError | None) -> list[float]:
        """Make calls one after the other, each when the pause before must be over; return what the budget was told."""
        for outcome in outcomes:
            await self.call(outcome)
            await asyncio.sleep(60)
        return self.told

    async def burst(self, *outcomes: ProfileApiError) -> list[float]:
        """Make calls that are sent together and answered a little apart; return what the budget was told."""
        calls = (self.call(outcome, takes=0.1 + 0.001 * number) for number, outcome in enumerate(outcomes))
        await asyncio.gather(*calls)
        return self.told


def limited(retry_after: float | None = None) -> RateLimited:
    return RateLimited("The Profile API answered 429.", retry_after=retry_after)


@pytest.mark.parametrize(("says", "pause"), [(7.0, 7.0), (0.5, 0.5), (60.0, 60.0), (1e9, 60.0), (float("inf"), 60.0)])
def test_the_answer_says_how_long(says: float, pause: float) -> None:
    """Up to a minute."""
    assert run(Bench().row(limited(says))) == [pause]


@pytest.mark.parametrize("says", [None, 0.0])
def test_without_a_time_pauses_grow(says: float | None) -> None:
    """They double up to a minute; a time that is over by our clock says nothing."""
    assert run(Bench().row(*[limited(says)] * 9)) == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_pauses_have_full_jitter() -> None:
    """The processes of a fleet do not come back in step."""
    assert run(Bench(chance=0.25).row(limited(), limited())) == [0.25, 0.5]


def test_an_answer_ends_the_row() -> None:
    """The next pause is a short one again; a failure is no answer."""
    outcomes = (limited(), ServerFault("The Profile API answered 503."), limited(), None, limited())
    assert run(Bench().row(*outcomes)) == [1, 2, 1]


@pytest.mark.parametrize(("says", "told"), [(None, [1.0]), (30.0, [30.0])])
def test_a_burst_is_one_refusal(says: float | None, told: list[float]) -> None:
    """A hundred calls that were under way when the limit was reached do not make a pause of a minute."""
    assert run(Bench().burst(*[limited(says)] * 100)) == told


def test_a_later_answer_of_a_burst_may_ask_for_more() -> None:
    """Nothing is sent before the longest time that was said."""
    assert run(Bench().burst(limited(1.0), limited(30.0), limited(2.0))) == [1.0, 30.0]


def test_a_pause_is_told_in_the_log() -> None:
    """Once, with how long it is."""
    with capture_logs() as told:
        run(Bench().burst(limited(2.0), limited(2.0)))
    assert told == [{"event": "profile_api_paused", "seconds": 2.0, "log_level": "warning"}]
