"""Sources: files through DuckDB, databases through SQLAlchemy, and what they say when they cannot be read."""

import builtins
import gzip
import sqlite3
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest

from personalize.destination import sources
from personalize.destination.mappings import Model
from personalize.destination.rows import Unreadable, as_json
from personalize.errors import ConfigurationError, SyncError


def of_file(path: Path) -> list[Any]:
    with sources.opened(Model("m", path, None, ()), None) as rows:
        found = [row if isinstance(row, Unreadable) else as_json(row) for row in rows]
        assert rows.count() == len(found)
    return found


def of_query(url: str | None, query: str) -> list[Any]:
    with sources.opened(Model("m", None, query, ()), url) as rows:
        found = [as_json(row) for row in rows if not isinstance(row, Unreadable)]
        assert rows.count() == len(found)
    return found


@pytest.mark.parametrize("place", [0, 1, 2, 30_000])
@pytest.mark.parametrize("line", ["bo,free,extra", "cy", '"dee"x,y', "eve,\udcff"])
def test_one_bad_line_of_csv_costs_itself_alone(tmp_path: Path, place: int, line: str) -> None:
    """Wherever it is, all others are read as they are: what a line means does not depend on those around it."""
    good = ["007,pro"] * max(place, 1)
    text = "\n".join(["id,plan", *good[:place], line, *good])
    (tmp_path / "a.csv").write_text(text, encoding="utf-8", errors="surrogateescape")
    rows = of_file(tmp_path / "a.csv")
    [bad] = [row for row in rows if isinstance(row, Unreadable)]
    assert f"line {place + 2} " in bad.reason
    assert [row for row in rows if row != bad] == [{"id": "007", "plan": "pro"}] * (place + len(good))


def test_a_quote_that_is_never_closed_is_told_with_its_lines(tmp_path: Path) -> None:
    """Nobody knows where it should have ended."""
    (tmp_path / "a.csv").write_text('id,plan\n1,"open\n2,x\n', encoding="utf-8")
    [bad] = of_file(tmp_path / "a.csv")
    assert bad.reason.startswith("lines 2 to 3 cannot be read as CSV")


def test_csv_is_what_its_name_says(tmp_path: Path) -> None:
    """Nothing is guessed: one column, a byte order mark, quotes of another kind, lines within quotes, empty lines."""
    (tmp_path / "a.csv").write_text("\ufeffid\r\n'a;b'\r\n\r\n\"c\nd\"\r\n", encoding="utf-8")
    assert of_file(tmp_path / "a.csv") == [{"id": "'a;b'"}, {"id": "c\nd"}]
    (tmp_path / "b.tsv").write_text("id\tplan\na,b\tc\n", encoding="utf-8")
    assert of_file(tmp_path / "b.tsv") == [{"id": "a,b", "plan": "c"}]
    (tmp_path / "c.csv").write_text("", encoding="utf-8")
    assert of_file(tmp_path / "c.csv") == []


def test_one_bad_line_of_json_costs_itself_alone(tmp_path: Path) -> None:
    """The others are read."""
    bad = [b'{"id":', b"[1]", b'{"id": "\xff"}', b"[" * 5000]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([b'{"id": 1}', *bad, b"", b'{"id": 2}']))
    first, *refused, last = of_file(tmp_path / "a.jsonl")
    assert (first, last) == ({"id": 1}, {"id": 2})
    assert [one.reason for one in refused] == [f"line {number} is no JSON object." for number in (2, 3, 4, 5)]


def test_csv_is_text(tmp_path: Path) -> None:
    """Ids keep their zeros, and what is empty is null."""
    (tmp_path / "a.csv").write_text('id,plan,at\n007,"a, ""b""",2026-01-02\n008,,\n', encoding="utf-8")
    assert of_file(tmp_path / "a.csv") == [
        {"id": "007", "plan": 'a, "b"', "at": "2026-01-02"},
        {"id": "008", "plan": None, "at": None},
    ]


def test_json_lines_are_as_they_are(tmp_path: Path) -> None:
    """No row gets what only others have: that would be null, and take traits away. Gzip is read too."""
    lines = b'{"id":"007","traits":{"a":1}}\n{"id":8,"traits":{"b":[null]}}\n'
    (tmp_path / "a.jsonl").write_bytes(lines)
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(lines))
    told = [{"id": "007", "traits": {"a": 1}}, {"id": 8, "traits": {"b": [None]}}]
    assert of_file(tmp_path / "a.jsonl") == of_file(tmp_path / "a.ndjson.gz") == told


def test_parquet_has_types(tmp_path: Path) -> None:
    """Numbers, times, lists and structures."""
    made = "SELECT 7 AS id, 1.50::DECIMAL(9,2) AS sum, TIMESTAMP '2026-01-02 03:04:05' AS at, {'a': [1, 2]} AS more"
    duckdb.connect().execute(f"COPY ({made}) TO '{tmp_path / 'a.parquet'}' (FORMAT parquet)")
    assert of_file(tmp_path / "a.parquet") == [
        {"id": 7, "sum": 1.5, "at": "2026-01-02T03:04:05Z", "more": {"a": [1, 2]}}
    ]


def test_sqlite_is_queried(tmp_path: Path) -> None:
    """As it is written: neither colons nor percent signs are anything special."""
    database = sqlite3.connect(tmp_path / "a.db")
    database.executescript("CREATE TABLE people (id TEXT, plan TEXT); INSERT INTO people VALUES ('007', 'a:b%s')")
    database.close()
    query = "SELECT *, ':c' AS more FROM people WHERE plan LIKE '%:b%';"
    assert of_query(f"sqlite:///{tmp_path / 'a.db'}", query) == [{"id": "007", "plan": "a:b%s", "more": ":c"}]


def test_duckdb_is_queried(tmp_path: Path) -> None:
    """With its own types."""
    made = duckdb.connect(str(tmp_path / "a.duckdb"))
    made.execute("CREATE TABLE t AS SELECT '007' AS id, TIMESTAMPTZ '2026-01-02 03:04:05+01' AS at")
    made.close()
    assert of_query(f"duckdb:///{tmp_path / 'a.duckdb'}", "SELECT * FROM t") == [
        {"id": "007", "at": "2026-01-02T02:04:05Z"}
    ]


@pytest.mark.parametrize(
    ("name", "text", "error", "says"),
    [
        ("a.csv", None, ConfigurationError, "does not exist"),
        ("a.xlsx", "x", ConfigurationError, "its name has to end with .csv, .tsv, .jsonl, .ndjson, .parquet;"),
        ("a.parquet", "no parquet", SyncError, "cannot be read"),
        ("a.csv", "id,id\n1,2\n", SyncError, "Two columns are called `id`"),
        ("a.csv.gz", "no gzip", SyncError, "cannot be read"),
        ("a.parquet.gz", "x", ConfigurationError, "those of text also with .gz"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    tmp_path: Path, name: str, text: str | None, error: type[Exception], says: str
) -> None:
    """In one sentence."""
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(error, match=says), sources.opened(Model("m", tmp_path / name, None, ()), None) as rows:
        list(rows)


@pytest.mark.parametrize(
    ("url", "error", "says"),
    [
        (None, ConfigurationError, "PERSONALIZE_WAREHOUSE_URL says no database"),
        ("no url", ConfigurationError, "PERSONALIZE_WAREHOUSE_URL: Could not parse"),
        ("mainframe://u:fake-password@db.example.com/x", ConfigurationError, "PERSONALIZE_WAREHOUSE_URL"),
        ("postgresql+psycopg://u:fake-password@127.0.0.1:1/x", SyncError, "The database cannot be read: .*refused"),
        ("postgresql+psycopg://u:fake-password@127.0.0.1:port/x", ConfigurationError, "its port has to be a number"),
        ("sqlite://", SyncError, "The query failed: no such table: nowhere"),
    ],
)
def test_a_database_that_cannot_be_read_says_why(url: str | None, error: type[Exception], says: str) -> None:
    """Without its password."""
    with pytest.raises(error, match=says) as told:
        of_query(url, "SELECT * FROM nowhere")
    assert "fake-password" not in str(told.value)


@pytest.mark.parametrize(("file", "module"), [(Path("a.csv"), "duckdb"), (None, "sqlalchemy")])
def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, file: Path | None, module: str) -> None:
    """With what to install."""
    whole = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> ModuleType:
        fromlist = rest[2] if len(rest) > 2 else ()
        if name == "personalize.destination" and set(fromlist or ()) & {"files", "sql"}:
            raise ImportError(module)
        return whole(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with (
        pytest.raises(ConfigurationError, match=r"pip install 'personalize\[sync\]'"),
        sources.opened(Model("m", file, "SELECT 1", ()), "sqlite://"),
    ):
        pass
