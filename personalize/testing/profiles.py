"""Visitors, their events and a blog's posts, each in one line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from personalize.model import Event, ExternalId, Link, Post, ProfileMetadata, Section, SectionName, Snapshot

T = TypeVar("T")

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
"""The time of a test, unless it says another: what happened before is counted from here."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What Segment knows of somebody in a test: trait values by name, events newest first, and the rest."""

    traits: Mapping[str, Any]
    events: tuple[Event, ...]
    external_ids: tuple[ExternalId, ...]
    links: tuple[Link, ...]
    metadata: ProfileMetadata

    @property
    def audiences(self) -> tuple[str, ...]:
        """The traits that are true: what an audience is to whoever is in it."""
        return tuple(name for name, value in self.traits.items() if value is True)

    def snapshot(self, at: datetime) -> Snapshot:
        """Return the profile as it was read at a time."""
        contents: dict[SectionName, Any] = {
            "traits": dict(self.traits),
            "all_traits": dict(self.traits),
            "audiences": self.audiences,
            "events": self.events,
            "all_events": self.events,
            "external_ids": self.external_ids,
            "links": self.links,
            "metadata": self.metadata,
        }
        return Snapshot({name: Section(one, (), at.timestamp()) for name, one in contents.items()})


def visitor(*known: Event | ExternalId | Link | ProfileMetadata, **traits: object) -> Profile:
    """Return somebody of whom this is known: `visitor(event("Product Viewed"), city="Oslo", big_spender=True)`.

    A trait with another name than a Python one: `visitor(**{"last seen": "2026-01-02"})`. Values are what JSON makes of
    them, for they come from Segment.
    """
    newest_first = sorted(_of(Event, known), key=lambda one: one.timestamp, reverse=True)
    metadata = next(iter(_of(ProfileMetadata, known)), ProfileMetadata())
    return Profile(_as_json(traits), tuple(newest_first), _of(ExternalId, known), _of(Link, known), metadata)


def event(name: str, /, *, days_ago: float = 0, at: datetime | None = None, **properties: object) -> Event:
    """Return a Track call with its properties: `event("Product Viewed", product_id="p1", days_ago=2)`.

    Args:
        name: the event's.
        days_ago: when it happened, counted back from `NOW`.
        at: when it happened, in place of that; an aware time.
        properties: as the site sent them.
    """
    when = at or NOW - timedelta(days=days_ago)
    return Event(name, when, _as_json(properties), f"{name} {when.isoformat()}")


def post(title: str, /, *categories: str, days_ago: float = 0) -> Post:
    """Return a post of these categories, some days before `NOW`; its URL follows from its title."""
    url = f"https://blog.example.com/{'-'.join(title.lower().split())}"
    return Post(title=title, url=url, categories=categories, published_at=NOW - timedelta(days=days_ago))


def _of(kind: type[T], known: Iterable[object]) -> tuple[T, ...]:
    return tuple(one for one in known if isinstance(one, kind))


def _as_json(values: Mapping[str, object]) -> dict[str, Any]:
    sent: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(values))
    return sent
