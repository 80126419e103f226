"""What sources call people and accounts, and since when."""

import sqlite3
from typing import Literal, NamedTuple

import msgspec

from personalize.sandbox.store.names import hexed

Collection = Literal["users", "accounts"]


class ExternalId(NamedTuple):
    """What a source calls a person or an account, such as the type `user_id` and the value `ada`."""

    type: str
    value: str
    encoding: str = "none"


class Position(NamedTuple):
    """A place in an order that is by time (microseconds since 1970), and by a text where times are equal."""

    at: int
    key: str


class KnownId(NamedTuple):
    """An external id that leads to a profile: since when (microseconds since 1970), and by which message."""

    collection: Collection
    type: str
    value: str
    encoding: str
    created_at: int
    first_message_id: str

    @property
    def position(self) -> Position:
        """Where it stands among the ids of its profile."""
        return Position(self.created_at, f"{self.type}:{self.value}")


class IdFilter(msgspec.Struct, frozen=True):
    """Which external ids to return: those of some types (None: all), from a position on (None: from the oldest)."""

    include: tuple[str, ...] | None = None
    first: Position | None = None


class ExternalIds:
    """The external ids of all profiles."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def page(self, profile: int, wanted: IdFilter, limit: int) -> list[KnownId]:
        """Return at most `limit` of a profile's ids, the oldest first."""
        at, key = wanted.first or (None, None)
        rows = self._connection.execute(
            """
            SELECT collection, type, value, encoding, created_at, first_message_id FROM external_ids
            WHERE profile = :profile
              AND (:include IS NULL OR hex(type) IN (SELECT value FROM json_each(:include)))
              AND (:at IS NULL OR (created_at, type || ':' || value) >= (:at, :key))
            ORDER BY created_at, type || ':' || value LIMIT :limit
            """,
            {
                "profile": profile,
                "include": None if wanted.include is None else hexed(wanted.include),
                "at": at,
                "key": key,
                "limit": limit,
            },
        )
        return [KnownId(*row) for row in rows]
