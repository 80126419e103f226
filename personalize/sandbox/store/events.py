"""What profiles did: Track events, in time."""

import sqlite3
from typing import Any, Literal

import msgspec

from personalize.sandbox.store.external_ids import ExternalId, Position
from personalize.sandbox.store.names import hexed

Order = Literal["asc", "desc"]


class Event(msgspec.Struct, frozen=True):
    """One Track event. `at` is in microseconds since 1970; `external_ids` are those that its call carried."""

    message_id: str
    name: str
    at: int
    external_ids: tuple[ExternalId, ...]
    context: dict[str, Any] = {}
    properties: dict[str, Any] = {}

    @property
    def position(self) -> Position:
        """Where it stands among the events of its profile."""
        return Position(self.at, self.message_id)


class EventFilter(msgspec.Struct, frozen=True):
    """Which events to return: within start <= at < end, of the names included (None: all) and not excluded.

    `first` is where the page starts, itself included; None starts at the order's beginning.
    """

    start: int
    end: int
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    order: Order = "desc"
    first: Position | None = None


_ASCENDING = """
    SELECT message_id, name, at, external_ids, context, properties FROM events
    WHERE profile = :profile AND at >= :start AND at < :end
      AND (:include IS NULL OR hex(name) IN (SELECT value FROM json_each(:include)))
      AND hex(name) NOT IN (SELECT value FROM json_each(:exclude))
      AND (:first_at IS NULL OR (at, message_id) >= (:first_at, :first_id))
    ORDER BY at ASC, message_id ASC LIMIT :limit
"""
_DESCENDING = """
    SELECT message_id, name, at, external_ids, context, properties FROM events
    WHERE profile = :profile AND at >= :start AND at < :end
      AND (:include IS NULL OR hex(name) IN (SELECT value FROM json_each(:include)))
      AND hex(name) NOT IN (SELECT value FROM json_each(:exclude))
      AND (:first_at IS NULL OR (at, message_id) <= (:first_at, :first_id))
    ORDER BY at DESC, message_id DESC LIMIT :limit
"""


class Events:
    """The events of all profiles."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, profile: int, event: Event) -> None:
        """Add an event, whose message id must be new to the profile."""
        self._connection.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                event.message_id,
                profile,
                event.name,
                event.at,
                _json(event.external_ids),
                _json(event.context),
                _json(event.properties),
            ),
        )

    def page(self, profile: int, wanted: EventFilter, limit: int) -> list[Event]:
        """Return at most `limit` events, in the order asked."""
        at, message_id = wanted.first or (None, None)
        rows = self._connection.execute(
            _ASCENDING if wanted.order == "asc" else _DESCENDING,
            {
                "profile": profile,
                "start": wanted.start,
                "end": wanted.end,
                "include": None if wanted.include is None else hexed(wanted.include),
                "exclude": hexed(wanted.exclude),
                "first_at": at,
                "first_id": message_id,
                "limit": limit,
            },
        )
        return [_event(*row) for row in rows]

    def times(self, profile: int, name: str, start: int) -> int:
        """Return how many events of a name a profile has since `start`."""
        found = self._connection.execute(
            "SELECT count(*) FROM events WHERE profile = ? AND name = ? AND at >= ?", (profile, name, start)
        )
        return int(found.fetchone()[0])

    def properties(self, profile: int, name: str, start: int) -> list[dict[str, Any]]:
        """Return the properties of a profile's events of a name, since `start`, the oldest first."""
        rows = self._connection.execute(
            "SELECT properties FROM events WHERE profile = ? AND name = ? AND at >= ? ORDER BY at, message_id",
            (profile, name, start),
        )
        return [msgspec.json.decode(properties) for (properties,) in rows]

    def move(self, other: int, into: int) -> None:
        """Give one profile's events to another."""
        self._connection.execute("UPDATE events SET profile = ? WHERE profile = ?", (into, other))


def _event(message_id: str, name: str, at: int, *texts: str) -> Event:
    external_ids, context, properties = texts
    return Event(
        message_id,
        name,
        at,
        msgspec.json.decode(external_ids, type=tuple[ExternalId, ...]),
        msgspec.json.decode(context),
        msgspec.json.decode(properties),
    )


def _json(value: Any) -> str:  # noqa: ANN401 - properties and ids alike
    return msgspec.json.encode(value).decode()
