"""An account and its people: for whoever looks after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

from personalize import AllTraits, Link, Links, Param, recipe


@dataclass(frozen=True)
class Overview:
    """What is known of an account, and the ids of each of its users, of whom 100 are read at most."""

    traits: Mapping[str, object]
    users: list[list[str]]
    more_users: int


@recipe("account-overview", access="server", collection="accounts")
def account_overview(
    traits: Annotated[Mapping[str, object], AllTraits()] = MappingProxyType({}),
    links: Annotated[tuple[Link, ...], Links()] = (),
    limit: Annotated[int, Param(ge=0, le=100)] = 20,
) -> Overview:
    """Return the account's traits and its first users; `more_users` counts those that are left out."""
    users = [[str(one) for one in link.external_ids] for link in links if link.collection == "users"]
    return Overview(traits, users[:limit], len(users[limit:]))
