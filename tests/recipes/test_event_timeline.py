"""What a visitor did lately."""

from datetime import UTC, datetime

from personalize import Event
from personalize.registry import load

event_timeline = load(["shipped"])["event-timeline"]
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
EVENTS = tuple(Event(f"Event {number}", NOON, {"number": number}) for number in range(60))


def test_events_are_told_in_the_order_in_which_they_come() -> None:
    """Newest first, fifty of them unless more or fewer are wanted."""
    told = event_timeline(EVENTS)
    assert [one.event for one in told[:2]] == ["Event 0", "Event 1"]
    assert (told[0].timestamp, told[0].properties) == (NOON, {"number": 0})
    assert (len(told), len(event_timeline(EVENTS, limit=7))) == (50, 7)


def test_of_nobody_there_are_none() -> None:
    """An empty list, not an error."""
    assert event_timeline() == []


def test_only_our_own_servers_may_ask() -> None:
    """It tells what is known of a person."""
    assert event_timeline.access == "server"
