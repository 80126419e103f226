"""Who is asking for help."""

from datetime import UTC, datetime

from personalize import Event, ExternalId, Link, ProfileMetadata
from personalize.registry import load

customer_context = load(["shipped"])["customer-context"]
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_all_that_is_known_is_told() -> None:
    """Each part where a support desk looks for it."""
    context = customer_context(
        ProfileMetadata("use_1", created_at=NOON),
        (ExternalId("user_id", "ada"), ExternalId("anonymous_id", "a1")),
        {"plan": "gold"},
        (Link("accounts", (ExternalId("group_id", "acme"),)),),
        (Event("Order Completed", NOON), Event("Product Viewed", NOON)),
    )
    assert (context.segment_id, context.customer_since) == ("use_1", NOON)
    assert (context.ids, context.accounts) == (["user_id:ada", "anonymous_id:a1"], ["group_id:acme"])
    assert context.traits == {"plan": "gold"}
    assert [(deed.event, deed.timestamp) for deed in context.last_events] == [
        ("Order Completed", NOON),
        ("Product Viewed", NOON),
    ]


def test_of_nobody_everything_is_empty() -> None:
    """The desk sees that there is nothing, and no error."""
    context = customer_context()
    assert (context.segment_id, context.ids, context.traits, context.last_events) == (None, [], {}, [])


def test_only_our_own_servers_may_ask() -> None:
    """It tells what is known of a person."""
    assert customer_context.access == "server"
