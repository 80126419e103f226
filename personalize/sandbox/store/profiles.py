"""Profiles and the external ids that lead to them."""

import hashlib
import sqlite3
from typing import Literal, NamedTuple

Collection = Literal["users", "accounts"]


class ExternalId(NamedTuple):
    """What a source calls a person or an account, such as the type `user_id` and the value `ada`."""

    type: str
    value: str


class Profiles:
    """The profiles of both collections. A profile is named by its row number."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def find(self, collection: Collection, external_id: ExternalId) -> int | None:
        """Return the profile that an external id leads to."""
        found: tuple[int] | None = self._connection.execute(
            "SELECT profile FROM external_ids WHERE collection = ? AND type = ? AND value = ?",
            (collection, *external_id),
        ).fetchone()
        return found and found[0]

    def create(self, collection: Collection, external_id: ExternalId, at: int) -> int:
        """Return a new profile that the external id leads to."""
        profile = self._connection.execute(
            "INSERT INTO profiles (collection, segment_id, created_at) VALUES (?, ?, ?) RETURNING id",
            (collection, _segment_id(collection, external_id), at),
        ).fetchone()[0]
        self.attach(profile, external_id, at)
        return int(profile)

    def attach(self, profile: int, external_id: ExternalId, at: int) -> None:
        """Let an external id that leads nowhere yet lead to a profile."""
        self._connection.execute(
            "INSERT INTO external_ids SELECT collection, ?, ?, id, ? FROM profiles WHERE id = ?",
            (*external_id, at, profile),
        )

    def has_id_of(self, profile: int, id_type: str) -> bool:
        """Return whether a profile has an external id of a type."""
        found = self._connection.execute(
            "SELECT 1 FROM external_ids WHERE profile = ? AND type = ? LIMIT 1", (profile, id_type)
        )
        return found.fetchone() is not None

    def segment_id(self, profile: int) -> str:
        """Return the name that Segment itself gives a profile."""
        return str(
            self._connection.execute("SELECT segment_id FROM profiles WHERE id = ?", (profile,)).fetchone()[0],
        )

    def move(self, other: int, into: int) -> None:
        """Let all external ids of one profile lead to another, and forget the first."""
        self._connection.execute("UPDATE external_ids SET profile = ? WHERE profile = ?", (into, other))
        self._connection.execute("DELETE FROM profiles WHERE id = ?", (other,))


def _segment_id(collection: Collection, external_id: ExternalId) -> str:
    """Return an id of Segment's look that is the same after every reset."""
    digest = hashlib.blake2s(repr((collection, *external_id)).encode(), digest_size=14)
    return f"{'use' if collection == 'users' else 'gro'}_{digest.hexdigest()[:27]}"
