"""The visitors and accounts that are there from the start, written as the calls that a site would have sent."""

import tomllib
from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files
from typing import Any

import msgspec

from personalize.sandbox.demo.content import Content
from personalize.sandbox.identity import resolved
from personalize.sandbox.journal import Journal
from personalize.sandbox.moments import Clock, micros, written
from personalize.sandbox.store import ExternalId, Origin, Store, Trait


class Visitor(msgspec.Struct, frozen=True):
    """Somebody to begin with. Numbers are hours before now; keys are slugs of posts and ids of products."""

    ids: dict[str, str]
    since: float = 0
    traits: dict[str, Any] = {}
    audiences: dict[str, bool] = {}
    reads: dict[str, float] = {}
    views: dict[str, float] = {}
    orders: dict[str, float] = {}


class Account(msgspec.Struct, frozen=True):
    """A company to begin with. `since` is in hours before now; `members` are user ids."""

    group_id: str
    since: float
    traits: dict[str, Any]
    members: list[str]


class _Seeds(msgspec.Struct, frozen=True):
    visitors: list[Visitor]
    accounts: list[Account]


class Seed:
    """Fills a store with the visitors and accounts of the data beside this file.

    Args:
        store: what to fill.
        journal: what applies calls to it.
        clock: what time it is; the visitors' pasts are relative to it.
        content: the posts and products that they looked at.
        base_url: the sandbox's own address, for the URLs in their events.
    """

    def __init__(self, store: Store, journal: Journal, clock: Clock, content: Content, base_url: str) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._content = content
        self._base_url = base_url

    def sow(self) -> None:
        """Forget everything that the store knows, and add the visitors and accounts."""
        with self._store.transaction():
            self._store.clear()
        seeds = _seeds()
        for visitor in seeds.visitors:
            self._journal.write(self._calls(visitor))
            with self._store.transaction():
                self._place_in_audiences(visitor)
        for account in seeds.accounts:
            self._journal.write(self._memberships(account))

    def _calls(self, visitor: Visitor) -> Iterator[tuple[str, bytes]]:
        """Yield a visitor's calls, each its type and its JSON, under message ids that every reset repeats."""
        ids = {"userId": visitor.ids.get("user_id"), "anonymousId": visitor.ids.get("anonymous_id")}
        name = next(iter(visitor.ids.values()))
        for number, (call_type, hours, members) in enumerate(self._deeds(visitor)):
            call = {**ids, **members, "messageId": f"seed-{name}-{number}", "timestamp": written(self._ago(hours))}
            yield call_type, msgspec.json.encode(call)

    def _deeds(self, visitor: Visitor) -> Iterator[tuple[str, float, dict[str, Any]]]:
        if visitor.traits:
            yield "identify", visitor.since, {"traits": visitor.traits}
        for slug, hours in visitor.reads.items():
            yield "track", hours, _event("Post Viewed", self._content.posts[slug].viewed(self._base_url))
        for product_id, hours in visitor.views.items():
            yield "track", hours, _event("Product Viewed", self._content.products[product_id].viewed(self._base_url))
        for product_id, hours in visitor.orders.items():
            bought = self._content.products[product_id].viewed(self._base_url) | {"quantity": 1}
            order = {"order_id": f"seed-{product_id}", "total": bought["price"], "products": [bought]}
            yield "track", hours, _event("Order Completed", order)

    def _memberships(self, account: Account) -> Iterator[tuple[str, bytes]]:
        members = {
            "groupId": account.group_id,
            "traits": account.traits,
            "timestamp": written(self._ago(account.since)),
        }
        for number, user_id in enumerate(account.members):
            call = {**members, "userId": user_id, "messageId": f"seed-{account.group_id}-{number}"}
            yield "group", msgspec.json.encode(call)

    def _place_in_audiences(self, visitor: Visitor) -> None:
        external_ids = [ExternalId(*pair) for pair in visitor.ids.items()]
        profile = resolved(self._store, "users", external_ids, Origin(self._ago(0), f"seed-{external_ids[0].value}"))
        for key, entered in visitor.audiences.items():
            self._store.traits.put(profile, Trait(key, entered, self._ago(visitor.since), class_="audience"))

    def _ago(self, hours: float) -> int:
        return micros(self._clock() - timedelta(hours=hours))


def _seeds() -> _Seeds:
    text = files(__package__).joinpath("visitors.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), _Seeds)


def _event(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"event": name, "properties": properties}
