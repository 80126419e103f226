"""What is known about a profile: plain traits, computed traits and audiences."""

import sqlite3
from typing import Any, Literal

import msgspec

TraitClass = Literal["trait", "audience", "computed_trait"]


class Trait(msgspec.Struct, frozen=True):
    """One trait. `value` is any JSON value but null; `updated_at` is in microseconds since 1970."""

    key: str
    value: Any
    updated_at: int
    class_: TraitClass = "trait"
    source: str = "sandbox"


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

    def remove(self, profile: int, key: str, at: int) -> None:
        """Remove a trait, unless it was updated later than that."""
        self._connection.execute(
            "DELETE FROM traits WHERE profile = ? AND key = ? AND updated_at <= ?", (profile, key, at)
        )

    def page(self, profile: int, wanted: TraitFilter, limit: int) -> list[Trait]:
        """Return at most `limit` traits in the order of their keys' characters."""
        rows = self._connection.execute(
            """
            SELECT key, value, updated_at, class, source FROM traits
            WHERE profile = :profile AND key >= :start
              AND (:class IS NULL OR class = :class)
              AND (:include IS NULL OR key IN (SELECT value FROM json_each(:include)))
            ORDER BY key LIMIT :limit
            """,
            {
                "profile": profile,
                "start": wanted.start,
                "class": wanted.class_,
                "include": None if wanted.include is None else _json(wanted.include),
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
