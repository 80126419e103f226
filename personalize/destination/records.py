"""Records of a text file, one by one: CSV and JSON Lines, gzipped or not.

Nothing is guessed: what a line is does not depend on the lines around it, and one that is wrong costs itself alone.
"""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from personalize.destination.rows import Row, Unreadable
from personalize.destination.values import decoded
from personalize.errors import SyncError

MAX_SHOWN = 200
"""Characters that are shown of a line that cannot be read."""

Parse = Callable[[TextIO], Iterator[Row | Unreadable]]


class Records:
    """The records of a text file.

    Args:
        path: where it is; a name that ends with `.gz` is unpacked on the way.
        parse: makes rows of its text.
    """

    def __init__(self, path: Path, parse: Parse) -> None:
        self._path = path
        self._parse = parse

    def __iter__(self) -> Iterator[Row | Unreadable]:
        """Yield the rows, and what is none.

        Raises:
            SyncError: the file cannot be read at all.
        """
        try:
            with self._opened() as file:
                yield from self._parse(file)
        except (OSError, EOFError, zlib.error) as error:
            raise SyncError(f"{self._path} cannot be read: {error}.") from None

    def count(self) -> int | None:
        """Return how many there are."""
        try:
            return sum(1 for _ in self)
        except SyncError:
            return None

    def _opened(self) -> TextIO:
        # What is not UTF-8 stays recognizable, so that it costs its own row and not the file.
        if self._path.suffix == ".gz":
            return gzip.open(self._path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="")
        return self._path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def separated(delimiter: str) -> Parse:
    """Return what parses lines of columns, of which the first has their names; what is empty is null."""

    def parse(file: TextIO) -> Iterator[Row | Unreadable]:
        table = _Table(file, delimiter)
        names: list[str] | None = None
        while (columns := table.next()) is not None:
            if isinstance(columns, list) and names is None:
                names = _distinct(columns)
            elif isinstance(columns, Unreadable):
                yield columns
            elif columns and names is not None:
                yield _row(names, columns, table.line)

    return parse


def lines(file: TextIO) -> Iterator[Row | Unreadable]:
    """Yield the object that each line is."""
    for number, line in enumerate(file, 1):
        said = line.strip()
        if said:
            told = None if _is_broken(said) else decoded(said)
            yield told if isinstance(told, dict) else Unreadable(_shown(said), f"line {number} is no JSON object.")


class _Table:
    def __init__(self, file: TextIO, delimiter: str) -> None:
        self._reader = csv.reader(file, delimiter=delimiter, strict=True)

    @property
    def line(self) -> int:
        """The number of the line that was read last."""
        return self._reader.line_num

    def next(self) -> list[str] | Unreadable | None:
        """Return the next row's columns, or nothing at the end."""
        first = self.line + 1
        try:
            return next(self._reader, None)
        except csv.Error as error:
            where = f"line {first}" if self.line <= first else f"lines {first} to {self.line}"
            return Unreadable("", f"{where} cannot be read as CSV: {error}.")


def _row(names: list[str], columns: list[str], line: int) -> Row | Unreadable:
    if len(columns) != len(names):
        reason = f"line {line} has {len(columns)} columns, and the first line names {len(names)}."
        return Unreadable(_shown(",".join(columns)), reason)
    if any(map(_is_broken, columns)):
        return Unreadable(_shown(",".join(columns)), f"line {line} is not UTF-8.")
    return {name: column or None for name, column in zip(names, columns, strict=True)}


def _distinct(names: list[str]) -> list[str]:
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise SyncError(f"Two columns are called `{_shown(twice)}`: nobody could tell which is meant.")
    return names


def _is_broken(said: str) -> bool:
    return not said.isascii() and any("\ud800" <= one <= "\udfff" for one in said)


def _shown(said: str) -> str:
    return said[:MAX_SHOWN].encode("utf-8", "replace").decode()
