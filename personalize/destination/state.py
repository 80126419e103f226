"""What was sent: a file by which the next run sends only what is new or changed, and a killed one goes on.

It is SQLite, and holds hashes alone: of the mapping and where it sends to, of a row's key, and of the call that was
made of it.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from personalize.errors import SyncError

VERSION = 2
"""Of the file's form; `user_version` to SQLite."""

HASH_BYTES = 16
OWNER_ONLY = 0o600
"""Whoever has the file and guesses an id could tell whether it is in there."""

TABLE = """
    CREATE TABLE IF NOT EXISTS sent (
        scope BLOB, key BLOB, digest BLOB NOT NULL, generation INTEGER NOT NULL, PRIMARY KEY (scope, key)
    ) WITHOUT ROWID
"""


class Mark(NamedTuple):
    """That a call was made of a row: hashes of the mapping, of the row's key and of the call.

    `generation` counts how often the call of this row was another one before: a row that goes back to what it was is
    told anew.
    """

    scope: bytes
    key: bytes
    digest: bytes
    generation: int = 0


def hashed(*parts: bytes | str) -> bytes:
    """Return the hash of some parts, of which none can pass for two."""
    told = hashlib.blake2b(digest_size=HASH_BYTES)
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        told.update(len(raw).to_bytes(8, "big") + raw)
    return told.digest()


class State:
    """An open state file.

    Args:
        connection: to it, held by nobody else.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def last(self, scope: bytes, key: bytes) -> Mark | None:
        """Return the mark of the last call that was made of a row."""
        asked = "SELECT scope, key, digest, generation FROM sent WHERE scope = ? AND key = ?"
        found = self._connection.execute(asked, (scope, key)).fetchone()
        return None if found is None else Mark(*found)

    def remember(self, marks: Iterable[Mark]) -> None:
        """Note that calls were taken: all of them or none, and on the disk before this returns.

        Raises:
            SyncError: the disk is full, or the file went away.
        """
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO sent VALUES (?, ?, ?, ?)", marks)
        except sqlite3.Error as error:
            raise SyncError(
                f"The state file cannot be written ({error}): what was sent last is sent again, with the same ids."
            ) from None


@contextmanager
def opened(path: Path | None) -> Iterator[State]:
    """Open a state file, which is made if there is none, for this run alone; without a path, remember nothing.

    Raises:
        SyncError: another run has it open, or it is something else, or damaged.
    """
    try:
        if path is not None:
            path.touch(mode=OWNER_ONLY)
        connection = sqlite3.connect(path or ":memory:", timeout=1)
    except (OSError, sqlite3.Error) as error:
        raise SyncError(f"The state file {path} cannot be opened: {error}.") from None
    try:
        _prepare(connection, path)
        yield State(connection)
    finally:
        connection.close()


def _prepare(connection: sqlite3.Connection, path: Path | None) -> None:
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        [version] = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise SyncError(f"The state file {path} was written by another version of the service.")
        with connection:
            connection.execute(TABLE)
            connection.execute(f"PRAGMA user_version = {VERSION}")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise SyncError(
                f"Another run has the state file {path} open: let it end, or give this one its own."
            ) from None
        raise SyncError(f"The state file {path} cannot be written: {error}.") from None
    except sqlite3.DatabaseError as error:
        raise SyncError(
            f"{path} is no state file, or damaged ({error}): move it away, and all rows are sent."
        ) from None
