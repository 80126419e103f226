"""The state file, and that of rejected rows."""

import json
import sqlite3
import stat
from pathlib import Path

import pytest

from personalize.destination.rejects import writing
from personalize.destination.state import Mark, State, hashed, opened
from personalize.errors import SyncError

SCOPE = hashed("there", "mapping")


def test_what_was_sent_is_remembered(tmp_path: Path) -> None:
    """From one run to the next; the last call of a row counts, each mapping by itself."""
    with opened(tmp_path / "state") as state:
        assert state.last(SCOPE, b"a") is None
        state.remember([Mark(SCOPE, b"a", b"1"), Mark(SCOPE, b"a", b"2")])
    with opened(tmp_path / "state") as state:
        assert state.last(SCOPE, b"a") == Mark(SCOPE, b"a", b"2")
        assert state.last(hashed("there", "other"), b"a") is None


def test_no_ids_are_in_it(tmp_path: Path) -> None:
    """Whoever finds it learns neither who nor what."""
    with opened(tmp_path / "state") as state:
        state.remember([Mark(SCOPE, hashed("ada@example.com"), hashed("pro"))])
    files = list(tmp_path.iterdir())
    assert b"ada" not in b"".join(file.read_bytes() for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_it_is_for_one_run_at_a_time(tmp_path: Path) -> None:
    """The second is told, and the first goes on."""
    with opened(tmp_path / "state") as state:
        state.remember([Mark(SCOPE, b"a", b"1")])
        with pytest.raises(SyncError, match="Another run has the state file"), opened(tmp_path / "state"):
            pass
        state.remember([Mark(SCOPE, b"b", b"1")])


def test_what_is_no_state_file_is_left_alone(tmp_path: Path) -> None:
    """Something else, a later version's, or in a folder that is not there."""
    (tmp_path / "text").write_text("not a database, however long it may be" * 99, encoding="utf-8")
    with pytest.raises(SyncError, match="is no state file, or damaged"), opened(tmp_path / "text"):
        pass
    later = sqlite3.connect(tmp_path / "later")
    later.execute("PRAGMA user_version = 99")
    later.close()
    with pytest.raises(SyncError, match="another version"), opened(tmp_path / "later"):
        pass
    with pytest.raises(SyncError, match="cannot be opened"), opened(tmp_path / "none" / "state"):
        pass


def test_without_a_file_nothing_is_remembered() -> None:
    """But for this run."""
    with opened(None) as state:
        state.remember([Mark(SCOPE, b"a", b"1")])
        assert state.last(SCOPE, b"a") == Mark(SCOPE, b"a", b"1")


def test_hashes_tell_parts_apart() -> None:
    """However they are cut."""
    assert len({hashed("ab", "c"), hashed("a", "bc"), hashed("abc"), hashed("abc", "")}) == 4


def test_rejected_rows_are_lines_of_json_for_their_owner(tmp_path: Path) -> None:
    """Those of the run before are gone; without any there is no file."""
    path = tmp_path / "rejects.jsonl"
    path.write_text("old", encoding="utf-8")
    with writing(path) as rejects:
        assert not path.exists()
        rejects.add({"id": "a"}, "People", "no reason")
        rejects.add("b'", "People", "no JSON")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert lines == [
        {"mapping": "People", "reason": "no reason", "row": {"id": "a"}},
        {"mapping": "People", "reason": "no JSON", "row": "b'"},
    ]
    assert rejects.count == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_disk_that_is_full_stops_the_run(tmp_path: Path) -> None:
    """With a sentence: what Segment took and nobody noted is sent again, with the same ids."""
    with opened(tmp_path / "state") as state:
        pass
    database = sqlite3.connect(tmp_path / "state")
    database.execute("PRAGMA max_page_count = 1")
    state = State(database)
    marks = [Mark(SCOPE, hashed(str(number)), b"1" * 16) for number in range(1000)]
    with pytest.raises(SyncError, match=r"cannot be written .*full.*: what was sent last is sent again"):
        state.remember(marks)
    database.close()


def test_rejects_need_a_folder(tmp_path: Path) -> None:
    """That is told before anything is sent."""
    with pytest.raises(SyncError, match="there is no folder"), writing(tmp_path / "none" / "rejects"):
        pass


def test_half_a_character_is_written_down(tmp_path: Path) -> None:
    """As an escape: UTF-8 has no way to write it."""
    with writing(tmp_path / "rejects") as rejects:
        rejects.add({"id": "\ud800"}, "People", "so")
    assert json.loads((tmp_path / "rejects").read_text(encoding="utf-8"))["row"] == {"id": "\ud800"}
