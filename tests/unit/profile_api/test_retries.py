"""The retry budget: retries stay a fifth of the calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize.profile_api.retries import SAVED, RetryBudget


def test_there_is_one_to_begin_with() -> None:
    """The first failure of a service that has just started may be mended."""
    retries = RetryBudget()
    assert [retries.spend(), retries.spend()] == [True, False]


@pytest.mark.parametrize(("calls", "retried"), [(4, 0), (5, 1), (9, 1), (10, 2)])
def test_five_calls_earn_a_retry(calls: int, retried: int) -> None:
    """A share of 20 %, without fractions that get lost."""
    retries = RetryBudget()
    retries.spend()
    for _ in range(calls):
        retries.earn()
    assert sum(retries.spend() for _ in range(calls)) == retried


def test_no_more_than_ten_are_saved() -> None:
    """A quiet day does not pay for a storm."""
    retries = RetryBudget()
    for _ in range(1000):
        retries.earn()
    assert sum(retries.spend() for _ in range(1000)) == SAVED == 10


@given(st.lists(st.booleans()))
def test_attempts_are_bounded(wanted: list[bool]) -> None:
    """Whichever calls ask for one, there are at most 1.2 attempts a call, and one."""
    retries = RetryBudget()
    attempts = 0
    for calls, retry in enumerate(wanted, start=1):
        retries.earn()
        attempts += 1 + (retry and retries.spend())
        assert attempts <= 1.2 * calls + 1
