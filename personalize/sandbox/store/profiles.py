"""Profiles, and the ids that lead to them."""

import hashlib
import sqlite3
from typing import NamedTuple

from personalize.sandbox.store.external_ids import Collection, ExternalId


class Origin(NamedTuple):
    """The call that something comes from: when it arrived (microseconds since 1970), and its message id."""

    at: int
    message_id: str


class Metadata(NamedTuple):
    """By which calls a profile came to be and was last touched."""

    collection: Collection
    segment_id: str
    first: Origin
    last: Origin


class Profiles:
    """The profiles of both collections. A profile is named by its row number."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._arrivals: set[tuple[Collection, ExternalId]] = set()

    def find(self, collection: Collection, external_id: ExternalId) -> int | None:
        """Return the profile that an external id leads to."""
        found: tuple[int] | None = self._connection.execute(
            "SELECT profile FROM external_ids WHERE collection = ? AND type = ? AND value = ?",
            (collection, external_id.type, external_id.value),
        ).fetchone()
        return found and found[0]

    def named(self, collection: Collection, segment_id: str) -> int | None:
        """Return the profile that has, or took over, the name that Segment itself gave."""
        found: tuple[int] | None = self._connection.execute(
            """
            SELECT profiles.id FROM segment_ids JOIN profiles ON profiles.id = profile
            WHERE segment_ids.segment_id = ? AND collection = ?
            """,
            (segment_id, collection),
        ).fetchone()
        return found and found[0]

    def create(self, collection: Collection, external_id: ExternalId, origin: Origin) -> int:
        """Return a new profile that the external id leads to."""
        segment_id = _segment_id(collection, external_id)
        profile = self._connection.execute(
            """
            INSERT INTO profiles (collection, segment_id, created_at, first_message_id, updated_at, last_message_id)
            VALUES (?, ?, ?, ?, ?, ?) RETURNING id
            """,
            (collection, segment_id, *origin, *origin),
        ).fetchone()[0]
        self._connection.execute("INSERT INTO segment_ids VALUES (?, ?)", (segment_id, profile))
        self.attach(profile, external_id, origin)
        return int(profile)

    def attach(self, profile: int, external_id: ExternalId, origin: Origin) -> None:
        """Let an external id that leads nowhere yet lead to a profile."""
        [(collection,)] = self._connection.execute(
            "INSERT INTO external_ids SELECT collection, ?, ?, id, ?, ?, ? FROM profiles WHERE id = ?"
            " RETURNING collection",
            (*external_id, *origin, profile),
        ).fetchall()
        self._arrivals.add((collection, external_id))

    def take_arrivals(self) -> set[tuple[Collection, ExternalId]]:
        """Return the external ids that came to lead to a profile, or to another one, since this was last asked.

        Each stands after its collection.
        """
        arrivals, self._arrivals = self._arrivals, set()
        return arrivals

    def all(self, collection: Collection) -> list[int]:
        """Return all profiles of a collection."""
        found = self._connection.execute("SELECT id FROM profiles WHERE collection = ?", (collection,))
        return [profile for (profile,) in found]

    def touch(self, profile: int, origin: Origin) -> None:
        """Note the last call that was about a profile."""
        self._connection.execute(
            "UPDATE profiles SET updated_at = ?, last_message_id = ? WHERE id = ?", (*origin, profile)
        )

    def has_id_of(self, profile: int, id_type: str) -> bool:
        """Return whether a profile has an external id of a type."""
        found = self._connection.execute(
            "SELECT 1 FROM external_ids WHERE profile = ? AND type = ? LIMIT 1", (profile, id_type)
        )
        return found.fetchone() is not None

    def metadata(self, profile: int) -> Metadata:
        """Return when a profile came to be and was last touched, and by what."""
        collection, segment_id, *origins = self._connection.execute(
            """
            SELECT collection, segment_id, created_at, first_message_id, updated_at, last_message_id
            FROM profiles WHERE id = ?
            """,
            (profile,),
        ).fetchone()
        return Metadata(collection, segment_id, Origin(*origins[:2]), Origin(*origins[2:]))

    def move(self, other: int, into: int) -> None:
        """Let all ids of one profile lead to another, which is then as old as the older one, and forget the first."""
        first = min(self.metadata(other).first, self.metadata(into).first)
        self._connection.execute(
            "UPDATE profiles SET created_at = ?, first_message_id = ? WHERE id = ?", (*first, into)
        )
        moved = self._connection.execute(
            "UPDATE external_ids SET profile = ? WHERE profile = ? RETURNING collection, type, value, encoding",
            (into, other),
        )
        self._arrivals.update((collection, ExternalId(*row)) for collection, *row in moved)
        self._connection.execute("UPDATE segment_ids SET profile = ? WHERE profile = ?", (into, other))
        self._connection.execute("DELETE FROM profiles WHERE id = ?", (other,))


def _segment_id(collection: Collection, external_id: ExternalId) -> str:
    """Return an id of Segment's look that is the same after every reset."""
    name = (collection, external_id.type, external_id.value)
    digest = hashlib.blake2s(repr(name).encode(), digest_size=14)
    return f"{'use' if collection == 'users' else 'gro'}_{digest.hexdigest()[:27]}"
