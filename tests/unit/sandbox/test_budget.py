"""The Profile API's rate limit."""

from __future__ import annotations

from datetime import timedelta

import pytest

from personalize.sandbox.app import create_sandbox
from personalize.sandbox.budget import Budget
from tests.unit.sandbox.conftest import Segment, StillClock, talking_to


async def statuses(segment: Segment, count: int) -> list[int]:
    """Return the statuses of some requests for traits, one after another."""
    return [(await segment.read("user_id:ada", "traits")).status_code for _ in range(count)]


async def test_more_than_100_requests_in_a_second_are_too_many(clock: StillClock) -> None:
    """The next request is a 429 with the documented error, and without a hint when to come again."""
    async with talking_to(create_sandbox(clock=clock)) as segment:
        assert await statuses(segment, 100) == [200] * 100
        answer = await segment.read("user_id:ada", "traits")
        assert answer.status_code == 429
        assert answer.json() == {
            "error": {"code": "rate_limit_error", "message": "Too many requests hit the API too quickly."}
        }
        assert "Retry-After" not in answer.headers
        assert "Request-Id" in answer.headers
        clock.pass_by(seconds=1)
        assert await statuses(segment, 101) == [200] * 100 + [429]


async def test_only_a_spaces_own_reading_counts(clock: StillClock) -> None:
    """Calls to the Tracking API, other spaces and callers without the token leave the budget alone."""
    async with talking_to(create_sandbox(clock=clock, rate_limit=1)) as segment:
        path = "/v1/spaces/sandbox/collections/users/profiles/user_id:ada/traits"
        for _ in range(3):
            await segment.identify(userId="kim")
            assert (await segment.http.get(path)).status_code == 401
            assert (await segment.http.get(path.replace("/sandbox/", "/other/"))).status_code == 401
        assert await statuses(segment, 2) == [200, 429]


def test_a_budget_may_be_without_limit(clock: StillClock) -> None:
    """A rate of 0 refuses nothing."""
    budget = Budget(0, clock)
    assert all(budget.spend() for _ in range(1000))


@pytest.mark.parametrize(
    ("rate", "most", "milliseconds"), [(100, 100, 1000), (1, 1, 1000), (0.5, 1, 2000), (2.5, 3, 1200)]
)
def test_a_spent_budget_has_more_when_its_requests_are_a_second_ago(
    clock: StillClock, rate: float, most: int, milliseconds: int
) -> None:
    """And no more than a second's worth ever."""
    budget = Budget(rate, clock)
    for _ in range(3):
        assert sum(budget.spend() for _ in range(200)) == most
        clock.pass_by(milliseconds=milliseconds - 1)
        assert not budget.spend()
        clock.pass_by(milliseconds=1)
    clock.pass_by(days=1)
    assert sum(budget.spend() for _ in range(200)) == most


def test_no_second_has_more_than_its_rate(clock: StillClock) -> None:
    """Not even one that begins with a budget of which nothing was spent: here 1,000 requests come in each second."""
    budget, taken = Budget(100, clock), []
    for _ in range(3000):
        if budget.spend():
            taken.append(clock.now)
        clock.pass_by(milliseconds=1)
    assert len(taken) == 300
    assert all(later - earlier >= timedelta(seconds=1) for earlier, later in zip(taken, taken[100:], strict=False))


def test_a_clock_that_is_set_back_adds_nothing(clock: StillClock) -> None:
    """Time that runs backwards neither adds to a budget nor takes from it."""
    budget = Budget(1, clock)
    budget.spend()
    clock.pass_by(hours=-1)
    assert not budget.spend()
    clock.pass_by(seconds=1)
    assert budget.spend()
