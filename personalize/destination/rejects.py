"""The rows that could not be sent, with the reason: a file of JSON lines, for its owner alone."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from personalize.destination.values import Json
from personalize.errors import SyncError

OWNER_ONLY = 0o600
REASONS_KEPT = 5
"""The first reasons, for whoever sees no file."""


class Rejects:
    """A file that rejected rows are written to; it is made with the first of them.

    Args:
        path: where; none writes nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.count = 0
        self.reasons: list[str] = []
        self._file: BinaryIO | None = None

    def add(self, row: Mapping[str, Json] | str, mapping: str, reason: str) -> None:
        """Write one down."""
        self.count += 1
        if len(self.reasons) < REASONS_KEPT:
            self.reasons.append(f"{mapping}: {reason}")
        if self.path is None:
            return
        if self._file is None:
            self._file = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY), "wb")
        self._file.write(_line({"mapping": mapping, "reason": reason, "row": row}) + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _line(told: Mapping[str, Json]) -> bytes:
    try:
        return msgspec.json.encode(told)
    except UnicodeEncodeError:  # half a character, which only escapes can write
        return json.dumps(told).encode()


@contextmanager
def writing(path: Path | None) -> Iterator[Rejects]:
    """Write rejects while the body runs; those of the run before are gone then.

    Raises:
        SyncError: they could not be written there.
    """
    if path is not None:
        _make_room(path)
    rejects = Rejects(path)
    try:
        yield rejects
    finally:
        rejects.close()


def _make_room(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise SyncError(f"The rejects file {path} cannot be written: {error.strerror}.") from None
    if not path.parent.is_dir():
        raise SyncError(f"The rejects file {path} cannot be written: there is no folder {path.parent}.")
