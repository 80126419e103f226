"""The database: a file that one sandbox has for itself."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from personalize.sandbox.store import Store
from personalize.sandbox.store.database import UnusableFile


def test_a_file_in_use_is_not_shared(tmp_path: Path) -> None:
    """Not even before anything is written; it is free again once it is closed."""
    path = str(tmp_path / "data")
    with closing(Store(path)), pytest.raises(UnusableFile, match="in use by another sandbox"):
        Store(path)
    with closing(Store(path)) as store:
        assert store.is_empty()


def test_a_file_of_another_version_is_not_used(tmp_path: Path) -> None:
    """It says so at once, instead of failing with the first call."""
    path = tmp_path / "data"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE profiles (id INTEGER)")
    with pytest.raises(UnusableFile, match="made by another version"):
        Store(str(path))


def test_a_file_that_cannot_be_opened_is_told_as_it_is(tmp_path: Path) -> None:
    """Here a folder."""
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        Store(str(tmp_path))
