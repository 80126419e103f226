"""Rows of a file: CSV, JSON Lines or Parquet, through DuckDB, gzipped or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from personalize.destination.rows import Row
from personalize.destination.values import decoded
from personalize.errors import ConfigurationError, SyncError

ROWS_AT_ONCE = 1000
LINES = "SELECT * FROM read_ndjson_objects(?)"
READERS = {
    # Every column is text: an id is 007, and no number. What is empty is null.
    ".csv": "SELECT * FROM read_csv(?, all_varchar = true, header = true)",
    ".tsv": "SELECT * FROM read_csv(?, all_varchar = true, header = true, delim = '\t')",
    # Line by line: as one table, each row would have the others' members too, as nulls that remove traits.
    ".jsonl": LINES,
    ".ndjson": LINES,
    ".parquet": "SELECT * FROM read_parquet(?)",
}


class File:
    """An open file.

    Args:
        connection: of DuckDB.
        path: where it is.
        reader: the query by which DuckDB reads it.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path, reader: str) -> None:
        self._connection = connection
        self._path = path
        self._reader = reader

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows.

        Raises:
            SyncError: the file is not what its name says.
        """
        try:
            found = self._connection.execute(self._reader, [str(self._path)])
            names = [column[0] for column in found.description or ()]
            while rows := found.fetchmany(ROWS_AT_ONCE):
                for row in rows:
                    yield self._row(names, row)
        except duckdb.Error as error:
            raise SyncError(f"{self._path} cannot be read: {_told(error)}") from None

    def count(self) -> int | None:
        """Return how many rows there are."""
        try:
            counted = self._connection.execute(f"SELECT count(*) FROM ({self._reader})", [str(self._path)])  # noqa: S608 -- the reader is one of READERS, and the path a parameter
            return int((counted.fetchone() or [0])[0])
        except duckdb.Error:
            return None

    def _row(self, names: list[str], row: tuple[object, ...]) -> Row:
        if self._reader != LINES:
            return dict(zip(names, row, strict=True))
        told = decoded(str(row[0]))
        if not isinstance(told, dict):
            raise SyncError(f"{self._path}: every line has to be a JSON object, and one is {str(row[0])[:40]}.")
        return told


@contextmanager
def reading(path: Path) -> Iterator[File]:
    """Open a file by what its name ends with, and close it with the body.

    Raises:
        ConfigurationError: there is none, or of none of these kinds.
    """
    kind = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    reader = READERS.get(kind.lower())
    if reader is None:
        raise ConfigurationError(f"{path}: its name has to end with {', '.join(READERS)}.")
    if not path.is_file():
        raise ConfigurationError(f"{path} does not exist, or is no file.")
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "memory_limit": "512MB"})
    try:
        yield File(connection, path, reader)
    finally:
        connection.close()


def _told(error: duckdb.Error) -> str:
    return str(error).split("\n", 1)[0]
