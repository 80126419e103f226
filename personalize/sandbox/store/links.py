"""Which users belong to which accounts."""

import sqlite3
from typing import NamedTuple

from personalize.sandbox.store.external_ids import Collection, Position


class Link(NamedTuple):
    """A profile of the other collection that a profile is linked to, since when (microseconds since 1970)."""

    to_collection: Collection
    profile: int
    segment_id: str
    created_at: int

    @property
    def position(self) -> Position:
        """Where it stands among the links of a profile."""
        return Position(self.created_at, self.segment_id)


class Links:
    """The links between users and accounts, readable from both ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, user: int, account: int, at: int) -> None:
        """Link a user to an account, unless they are linked already; `at` is in microseconds since 1970."""
        self._connection.execute("INSERT OR IGNORE INTO links VALUES (?, ?, ?)", (user, account, at))

    def page(self, profile: int, first: Position | None, limit: int) -> list[Link]:
        """Return at most `limit` links of a user or an account from a position on, the oldest first."""
        at, key = first or (None, None)
        rows = self._connection.execute(
            """
            SELECT collection, id, segment_id, links.created_at
            FROM links JOIN profiles ON id = iif(user = :profile, account, user)
            WHERE (user = :profile OR account = :profile)
              AND (:at IS NULL OR (links.created_at, segment_id) >= (:at, :key))
            ORDER BY links.created_at, segment_id LIMIT :limit
            """,
            {"profile": profile, "at": at, "key": key, "limit": limit},
        )
        return [Link(*row) for row in rows]

    def move(self, other: int, into: int) -> None:
        """Give one profile's links to another; where both have one, the older stays."""
        self._connection.execute(
            """
            INSERT INTO links
            SELECT iif(user = :other, :into, user), iif(account = :other, :into, account), created_at
            FROM links WHERE user = :other OR account = :other
            ON CONFLICT DO UPDATE SET created_at = min(created_at, excluded.created_at)
            """,
            {"other": other, "into": into},
        )
