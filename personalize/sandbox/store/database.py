"""The SQLite database behind the sandbox."""

import sqlite3
from contextlib import AbstractContextManager
from importlib.resources import files

from personalize.sandbox.store.events import Events
from personalize.sandbox.store.external_ids import ExternalIds
from personalize.sandbox.store.links import Links
from personalize.sandbox.store.profiles import Profiles
from personalize.sandbox.store.traits import Traits

SCHEMA = "schema.sql"
VERSION = 1
"""Of the schema: one more whenever a file that was made before could not be used any more."""


class UnusableFile(ValueError):
    """A file cannot be the store's. The message says why."""


class Store:
    """Profiles, external ids, links, traits and events in one SQLite database.

    Args:
        path: a file that outlives the process, or `:memory:`.

    Raises:
        sqlite3.Error: the file cannot be opened or is not a database.
        UnusableFile: another store has it open, or another version made it.
    """

    def __init__(self, path: str = ":memory:") -> None:
        # The app is built in one thread and served by an event loop in another; only that loop uses it then.
        self._connection = sqlite3.connect(path, check_same_thread=False, timeout=0)
        try:
            self._claim()
        except BaseException:
            self._connection.close()
            raise
        # A power cut may cost a sandbox its last write; waiting for the disk on every call would cost more.
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.executescript(files(__package__).joinpath(SCHEMA).read_text(encoding="utf-8"))
        self.profiles = Profiles(self._connection)
        self.external_ids = ExternalIds(self._connection)
        self.links = Links(self._connection)
        self.traits = Traits(self._connection)
        self.events = Events(self._connection)

    def _claim(self) -> None:
        """Take the file for this store alone, until it is closed: two that write it would not see each other's past."""
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise UnusableFile("the file of its data is in use by another sandbox.") from None
        [(version,)] = self._connection.execute("PRAGMA user_version").fetchall()
        [(tables,)] = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        if tables and version != VERSION:
            raise UnusableFile("the file of its data was made by another version; remove it, or name another.")
        self._connection.execute(f"PRAGMA user_version = {VERSION}")
        self._connection.commit()

    def transaction(self) -> AbstractContextManager[object]:
        """Return a block whose changes are kept together, or dropped together when it raises."""
        return self._connection

    def admit(self, message_id: str) -> bool:
        """Note a message; return whether this is the first time that it is seen."""
        added = self._connection.execute("INSERT OR IGNORE INTO messages VALUES (?)", (message_id,))
        return added.rowcount == 1

    def merge(self, other: int, into: int) -> None:
        """Move everything of one profile to another; of a trait that both have, the last updated stays."""
        self.traits.move(other, into)
        self.events.move(other, into)
        self.links.move(other, into)
        self.profiles.move(other, into)

    def is_empty(self) -> bool:
        """Return whether there is no profile."""
        return self._connection.execute("SELECT 1 FROM profiles LIMIT 1").fetchone() is None

    def clear(self) -> None:
        """Forget everything."""
        self._connection.execute("DELETE FROM profiles")
        self._connection.execute("DELETE FROM messages")

    def close(self) -> None:
        """Close the database; the store cannot be used afterwards."""
        self._connection.close()
