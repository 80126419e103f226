"""An account and its people."""

from personalize import ExternalId, Link
from personalize.registry import load

account_overview = load(["shipped"])["account-overview"]
USERS = tuple(Link("users", (ExternalId("user_id", f"u{number}"),)) for number in range(30))


def test_an_account_is_told_with_its_first_users() -> None:
    """And how many more there are; links to other accounts are not people."""
    overview = account_overview({"plan": "gold"}, (Link("accounts", ()), *USERS), limit=2)
    assert (overview.traits, overview.more_users) == ({"plan": "gold"}, 28)
    assert overview.users == [["user_id:u0"], ["user_id:u1"]]


def test_of_an_unknown_account_nothing_is_told() -> None:
    """No users, and none left out."""
    overview = account_overview()
    assert (overview.traits, overview.users, overview.more_users) == ({}, [], 0)


def test_only_our_own_servers_may_ask() -> None:
    """It tells what is known of an account, and who belongs to it."""
    assert (account_overview.access, account_overview.collection) == ("server", "accounts")
