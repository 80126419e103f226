"""What is known about a profile: plain traits, computed traits and audiences."""

import sqlite3
from typing import Any, Literal

import msgspec

from personalize.sandbox.store.names import hexed

TraitClass = Literal["trait", "audience", "computed_trait"]

SOURCE = "sandbox"
"""The id of the one source that all calls come from."""


class Trait(msgspec.Struct, frozen=True):
    """One trait. `value` is any JSON value; `updated_at` is in microseconds since 1970.

    A trait that is null was removed. It is kept, so that a call that happened before its removal and arrives after
    it does not bring it back; it is never returned.
    """

    key: str
    value: Any
    updated_at: int
    class_: TraitClass = "trait"
    source: str = SOURCE


class TraitFilter(msgspec.Struct, frozen=True):
    """Which traits to return: those named (None: all), of one class (None: all), from a key on."""

    include: tuple[str, ...] | None = None
    class_: TraitClass | None = None
    start: str = ""


class Traits:
    """The traits of all profiles."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, profile: int, trait: Trait) -> None:
        """Set a trait, unless the one that is there was updated later."""
        self._connection.execute(
            """
            INSERT INTO traits (profile, key, value, class, source, updated_at) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (profile, key) DO UPDATE
            SET value = excluded.value, class = excluded.class, source = excluded.source,
                updated_at = excluded.updated_at
            WHERE excluded.updated_at >= traits.updated_at
            """,
            (profile, trait.key, _json(trait.value), trait.class_, trait.source, trait.updated_at),
        )

    def get(self, profile: int, key: str) -> Trait | None:
        """Return one trait, also one that was removed; None if there never was one."""
        row = self._connection.execute(
            "SELECT key, value, updated_at, class, source FROM traits WHERE profile = ? AND key = ?", (profile, key)
        ).fetchone()
        return row and Trait(row[0], msgspec.json.decode(row[1]), *row[2:])

    def page(self, profile: int, wanted: TraitFilter, limit: int) -> list[Trait]:
        """Return at most `limit` traits in the order of their keys' characters."""
        rows = self._connection.execute(
            """
            SELECT key, value, updated_at, class, source FROM traits
            WHERE profile = :profile AND key >= :start AND value <> 'null'
              AND (:class IS NULL OR class = :class)
              AND (:include IS NULL OR hex(key) IN (SELECT value FROM json_each(:include)))
            ORDER BY key LIMIT :limit
            """,
            {
                "profile": profile,
                "start": wanted.start,
                "class": wanted.class_,
                "include": None if wanted.include is None else hexed(wanted.include),
                "limit": limit,
            },
        )
        return [Trait(key, msgspec.json.decode(value), *rest) for key, value, *rest in rows]

    def move(self, other: int, into: int) -> None:
        """Copy one profile's traits to another, where a later update wins."""
        self._connection.execute(
            """
            INSERT INTO traits (profile, key, value, class, source, updated_at)
            SELECT ?, key, value, class, source, updated_at FROM traits WHERE profile = ?
            ON CONFLICT (profile, key) DO UPDATE
            SET value = excluded.value, class = excluded.class, source = excluded.source,
                updated_at = excluded.updated_at
            WHERE excluded.updated_at > traits.updated_at
            """,
            (into, other),
        )


def _json(value: Any) -> str:  # noqa: ANN401 - a trait's value is any JSON value
    return msgspec.json.encode(value).decode()
