"""The rows that could not be sent, with the reason: a file of JSON lines, for its owner alone."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from personalize.destination.values import Json

OWNER_ONLY = 0o600


class Rejects:
    """A file that rejected rows are written to; it is made with the first of them.

    Args:
        path: where; none writes nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.count = 0
        self._file: BinaryIO | None = None

    def add(self, row: Mapping[str, Json] | str, mapping: str, reason: str) -> None:
        """Write one down."""
        self.count += 1
        if self.path is None:
            return
        if self._file is None:
            self._file = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY), "wb")
        line = msgspec.json.encode({"mapping": mapping, "reason": reason, "row": row})
        self._file.write(line + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


@contextmanager
def writing(path: Path | None) -> Iterator[Rejects]:
    """Write rejects while the body runs; those of the run before are gone then."""
    if path is not None:
        path.unlink(missing_ok=True)
    rejects = Rejects(path)
    try:
        yield rejects
    finally:
        rejects.close()
