"""Calls in hand: each is somebody's once, and good for a moment."""

from personalize.fleet.hand import SECONDS, Hand
from tests.connections import Clock


def test_what_is_in_hand_is_taken_once() -> None:
    """And nothing is there to begin with."""
    hand = Hand(Clock())
    assert not hand.take()
    hand.put(2)
    hand.put(0)
    assert [hand.take() for _ in range(3)] == [True, True, False]


def test_what_is_not_sent_at_once_is_lost() -> None:
    """Those that came later are still good."""
    hand = Hand(clock := Clock())
    hand.put(3)
    clock.now += SECONDS / 2
    hand.put(1)
    assert hand.take()
    clock.now += SECONDS / 2
    assert [hand.take() for _ in range(2)] == [True, False]
    hand.put(1)
    clock.now += SECONDS
    assert not hand.take()
