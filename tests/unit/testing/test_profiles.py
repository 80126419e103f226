"""Visitors, events and posts of tests: in one line, and as Segment and blogs would have them."""

from datetime import UTC, datetime, timedelta

from personalize import Event, ExternalId, Link, ProfileMetadata
from personalize.testing import NOW, event, post, visitor


def test_an_event_is_of_some_days_ago() -> None:
    """Its properties are all the other names; each has an id of its own."""
    viewed = event("Product Viewed", product_id="p1", days_ago=2)
    when = NOW - timedelta(days=2)
    assert viewed == Event("Product Viewed", when, {"product_id": "p1"}, f"Product Viewed {when.isoformat()}")
    assert event("Product Viewed").timestamp == NOW


def test_an_event_may_be_of_an_exact_time() -> None:
    """Where hours matter."""
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert event("Signed Up", at=noon).timestamp == noon


def test_a_visitors_events_are_newest_first() -> None:
    """In whatever order a test says them."""
    known = visitor(event("Old", days_ago=3), event("New"), event("Middle", days_ago=1))
    assert [one.name for one in known.events] == ["New", "Middle", "Old"]


def test_traits_and_properties_are_what_json_makes_of_them() -> None:
    """A recipe never sees a tuple or a time of Segment's."""
    known = visitor(event("Viewed", tags=("a", "b")), seen=NOW, **{"last city": "Oslo"})
    assert known.traits == {"seen": "2026-11-22T12:00:00Z", "last city": "Oslo"}
    assert known.events[0].properties == {"tags": ["a", "b"]}


def test_a_post_has_a_url_of_its_own() -> None:
    """Which follows from its title."""
    tea = post("All about Tea", "Tea", "News", days_ago=1)
    assert (tea.title, tea.url) == ("All about Tea", "https://blog.example.com/all-about-tea")
    assert (tea.categories, tea.published_at) == (("Tea", "News"), NOW - timedelta(days=1))


def test_a_visitor_is_told_by_whatever_segment_knows() -> None:
    """Each thing finds its place; a trait that is true is an audience that somebody is in."""
    acme = ExternalId("group_id", "acme")
    known = visitor(acme, Link("accounts", (acme,)), ProfileMetadata("use_1"), big_spender=True, lapsed=False)
    assert (known.external_ids, known.links) == ((acme,), (Link("accounts", (acme,)),))
    assert (known.metadata, known.audiences) == (ProfileMetadata("use_1"), ("big_spender",))
    assert visitor().metadata == ProfileMetadata()
