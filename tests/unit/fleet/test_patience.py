"""A request's patience with Redis: it runs out once, whoever asks and however many at a time."""

import asyncio

from personalize.fleet import patience
from personalize.fleet.patience import Patience, hurried, unhurried


def test_it_runs_out() -> None:
    """And is never less than nothing."""
    one = Patience(0.5)
    one.spent += 0.125
    assert one.left == 0.375
    one.spent += 1
    assert one.left == 0


async def test_a_request_and_its_tasks_share_one() -> None:
    """Except those that nobody waits for; and the next request has another."""
    assert patience.current() is None
    with hurried() as first:
        assert patience.current() is first
        assert await asyncio.create_task(_current()) is first
        assert await asyncio.create_task(_current(), context=unhurried()) is None
        assert patience.current() is first
        first.spent = 0.25
        assert patience.spent() == 0.25
    with hurried() as second:
        assert second is not first
        assert patience.spent() == 0
    assert (patience.current(), patience.spent()) == (None, 0)


async def _current() -> Patience | None:
    return patience.current()
