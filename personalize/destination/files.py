"""Rows of a file: CSV and JSON Lines, gzipped or not, or Parquet, through DuckDB."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from personalize.destination.records import Records, lines, separated
from personalize.destination.rows import Row
from personalize.errors import ConfigurationError, SyncError

ROWS_AT_ONCE = 1000
PARQUET = "SELECT * FROM read_parquet(?)"
TEXTS = {
    # Every column is text: an id is 007, and no number.
    ".csv": separated(","),
    ".tsv": separated("\t"),
    # Line by line: as one table, each row would have the others' members too, as nulls that remove traits.
    ".jsonl": lines,
    ".ndjson": lines,
}
KINDS = (*TEXTS, ".parquet")


class Parquet:
    """An open Parquet file.

    Args:
        connection: of DuckDB.
        path: where it is.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows.

        Raises:
            SyncError: the file is not what its name says.
        """
        try:
            found = self._connection.execute(PARQUET, [str(self._path)])
            names = [column[0] for column in found.description or ()]
            while rows := found.fetchmany(ROWS_AT_ONCE):
                for row in rows:
                    yield dict(zip(names, row, strict=True))
        except duckdb.Error as error:
            raise SyncError(f"{self._path} cannot be read: {_told(error)}") from None

    def count(self) -> int | None:
        """Return how many rows there are."""
        try:
            counted = self._connection.execute(f"SELECT count(*) FROM ({PARQUET})", [str(self._path)])  # noqa: S608 -- a constant, and the path a parameter
            return int((counted.fetchone() or [0])[0])
        except duckdb.Error:
            return None


@contextmanager
def reading(path: Path) -> Iterator[Records | Parquet]:
    """Open a file by what its name ends with, and close it with the body.

    Raises:
        ConfigurationError: there is none, or of none of these kinds.
    """
    packed = path.suffix == ".gz"
    kind = (Path(path.stem).suffix if packed else path.suffix).lower()
    if kind not in KINDS or (packed and kind not in TEXTS):
        raise ConfigurationError(f"{path}: its name has to end with {', '.join(KINDS)}; those of text also with .gz.")
    if not path.is_file():
        raise ConfigurationError(f"{path} does not exist, or is no file.")
    if kind in TEXTS:
        yield Records(path, TEXTS[kind])
        return
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "memory_limit": "512MB"})
    try:
        yield Parquet(connection, path)
    finally:
        connection.close()


def _told(error: duckdb.Error) -> str:
    return str(error).split("\n", 1)[0]
