"""A request's patience with Redis: it runs out once, whoever asks and however many at a time."""

import asyncio

from personalize.fleet import patience
from personalize.fleet.patience import Patience, hurried, unhurried
from tests.connections import Clock


def test_it_runs_out_while_something_is_waited_for() -> None:
    """And at no other time; never below nothing."""
    clock = Clock()
    one = Patience(0.1, clock)
    clock.now += 5
    assert one.left == 0.1
    with one.running():
        clock.now += 0.0625
    clock.now += 5
    assert round(one.left, 6) == 0.0375
    with one.running():
        clock.now += 1
        assert one.left == 0
    assert one.left == 0


def test_what_is_waited_for_at_once_costs_once() -> None:
    """As much as from the first one's beginning to the last one's end."""
    clock = Clock()
    one = Patience(1, clock)
    with one.running():
        clock.now += 0.25
        with one.running():
            clock.now += 0.25
            assert one.left == 0.5
        clock.now += 0.125
    assert one.left == 0.375


async def test_a_request_and_its_tasks_share_one() -> None:
    """Except those that nobody waits for; and the next request has another."""
    assert patience.current() is None
    with hurried() as first:
        assert patience.current() is first
        assert await asyncio.create_task(_current()) is first
        assert await asyncio.create_task(_current(), context=unhurried()) is None
        assert patience.current() is first
    with hurried() as second:
        assert second is not first
    assert patience.current() is None


async def _current() -> Patience | None:
    return patience.current()
