"""Runs: what becomes of each row, and that nothing is sent twice or lost."""

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from personalize.destination import mappings
from personalize.destination.batches import BATCH_BYTES, BATCH_CALLS, CALL_BYTES
from personalize.destination.rejects import Rejects
from personalize.destination.rows import Row, Unreadable
from personalize.destination.run import Run, Summary, Way
from personalize.destination.state import State, opened
from personalize.destination.tracking import BatchRefused
from personalize.errors import SyncError

MAPPINGS = """
name = "x"
[models.people]
file = "people.csv"
key = ["id"]
[[mappings]]
name = "People"
model = "people"
action = "identify"
trigger = 'properties.plan != "none"'
[mappings.fields]
user_id = { "@path" = "$.id" }
traits = { plan = { "@path" = "$.plan" } }
"""
SECOND = """
[[mappings]]
name = "Visits"
model = "people"
action = "track"
[mappings.fields]
engage_space = "another-key"
user_id = { "@path" = "$.id" }
event_name = { "@template" = "Visited {{plan}}" }
message_id = { "@path" = "$.id" }
"""


class Listed(list[Row | Unreadable]):
    """Rows that are there already."""

    def count(self) -> int:  # type: ignore[override]  # a source's, and no list's
        return len(self)


class Counted:
    """Rows that are made as they are asked for."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    def count(self) -> None:
        return None


class Space:
    """A place where calls go, that keeps them."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[dict[str, Any]]]] = []
        self.refuses = ""
        self.ends_after = 10**9

    def send(self, write_key: str, calls: list[bytes]) -> None:
        told = [json.loads(call) for call in calls]
        if self.refuses and any(call.get("userId") == self.refuses for call in told):
            raise BatchRefused("the Tracking API answers 400.")
        if len(self.batches) >= self.ends_after:
            raise SyncError("gone")
        self.batches.append((write_key, told))

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [call for _, batch in self.batches for call in batch]


@pytest.fixture
def space() -> Space:
    return Space()


@pytest.fixture
def destination(tmp_path: Path) -> mappings.Destination:
    return written(tmp_path, MAPPINGS)


def written(folder: Path, text: str) -> mappings.Destination:
    file = folder / "mappings.toml"
    file.write_text(text, encoding="utf-8")
    return mappings.read(file)


def ran(
    destination: mappings.Destination,
    space: Space,
    state: State,
    *rows: Row | Unreadable,
    rejects: Rejects | None = None,
    **more: Any,
) -> Summary:
    run = Run(destination, Way(space.send, "key", "there"), state, rejects or Rejects(None), **more)
    run.take(destination.models["people"], Listed(rows))
    return run.summary


def test_new_and_changed_rows_are_sent(destination: mappings.Destination, space: Space) -> None:
    """And what is neither is not; triggers choose."""
    ada, bob, nobody = {"id": "ada", "plan": "pro"}, {"id": 7, "plan": None}, {"id": "x", "plan": "none"}
    with opened(None) as state:
        first = ran(destination, space, state, ada, bob, nobody)
        second = ran(destination, space, state, {**ada, "plan": "free"}, bob, nobody)
    assert first.outcomes == {"sent": 2, "not triggered": 1}
    assert second.outcomes == {"sent": 1, "unchanged": 1, "not triggered": 1}
    assert [(call["userId"], call["traits"]) for call in space.calls] == [
        ("ada", {"plan": "pro"}),
        ("7", {"plan": None}),
        ("ada", {"plan": "free"}),
    ]


def test_repeats_have_the_same_id(destination: mappings.Destination, space: Space) -> None:
    """The same call of the same row is one to Segment; another call or another row is not."""
    for _ in range(2):
        with opened(None) as state:
            ran(destination, space, state, {"id": "a", "plan": "pro"}, {"id": "b", "plan": "pro"})
    first, second, again, _ = [call["messageId"] for call in space.calls]
    assert first == again != second
    with opened(None) as state:
        ran(destination, space, state, {"id": "a", "plan": "free"})
    assert space.calls[-1]["messageId"] != first


def test_each_mapping_has_its_own_key_and_memory(tmp_path: Path, space: Space) -> None:
    """One that is added later is sent for rows that are known to the others; a message id of one's own stays."""
    with opened(None) as state:
        ran(written(tmp_path, MAPPINGS), space, state, {"id": "a", "plan": "pro"})
        summary = ran(written(tmp_path, MAPPINGS + SECOND), space, state, {"id": "a", "plan": "pro"})
    assert summary.outcomes == {"sent": 1, "unchanged": 1}
    write_key, [call] = space.batches[-1]
    assert (write_key, call["event"], call["messageId"]) == ("another-key", "Visited pro", "a")


def test_what_goes_elsewhere_is_sent_anew(destination: mappings.Destination, space: Space) -> None:
    """Another region or another space knows nothing of it."""
    with opened(None) as state:
        for name in ("there", "elsewhere", "there"):
            run = Run(destination, Way(space.send, "key", name), state, Rejects(None))
            run.take(destination.models["people"], Listed([{"id": "a", "plan": "pro"}]))
    assert len(space.calls) == 2


def test_rows_that_cannot_be_sent_do_not_stop_the_others(
    destination: mappings.Destination, space: Space, tmp_path: Path
) -> None:
    """They are written down with the reason, and tried again the next time."""
    rejects = Rejects(tmp_path / "rejects")
    rows: list[Row] = [
        {"id": "", "plan": "pro"},
        {"id": "photo", "plan": b"\x00"},
        {"id": "large", "plan": "x" * CALL_BYTES},
        {"id": "fine", "plan": "pro"},
    ]
    with opened(None) as state:
        summary = ran(destination, space, state, *rows, rejects=rejects)
    rejects.close()
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "rejects").read_text().splitlines()]
    assert reasons[0] == "Either `Anonymous ID` or `User ID` must be defined."
    assert "holds bytes" in reasons[1]
    assert reasons[2].endswith("bytes; the Tracking API takes 32,768 at most.")
    assert summary.outcomes == {"rejected": 3, "sent": 1}
    assert [call["userId"] for call in space.calls] == ["fine"]


def test_a_row_without_its_key_is_refused(tmp_path: Path, space: Space) -> None:
    """Nobody could tell whether it was sent."""
    destination = written(tmp_path, MAPPINGS.replace('key = ["id"]', 'key = ["order"]'))
    rejects = Rejects(tmp_path / "rejects")
    with opened(None) as state:
        ran(destination, space, state, {"id": "a", "plan": "p", "order": None}, rejects=rejects)
    rejects.close()
    assert "the key column `order` is empty." in (tmp_path / "rejects").read_text()


def test_a_write_key_is_needed(destination: mappings.Destination, space: Space) -> None:
    """Of the settings, or of the mapping."""
    run = Run(destination, Way(space.send, None, "there"), State(None), Rejects(None))  # type: ignore[arg-type]  # not used
    run.take(destination.models["people"], Listed([{"id": "a", "plan": "pro"}]))
    assert run.summary.outcomes == {"rejected": 1}


def test_batches_are_as_large_as_may_be(destination: mappings.Destination, space: Space) -> None:
    """In calls, and in bytes."""
    with opened(None) as state:
        ran(destination, space, state, *({"id": number, "plan": "p"} for number in range(BATCH_CALLS + 1)))
        ran(destination, space, state, *({"id": number, "plan": "x" * 30_000} for number in range(40)))
    sizes = [len(batch) for _, batch in space.batches]
    assert sum(sizes) == BATCH_CALLS + 41
    assert max(sizes) <= BATCH_CALLS
    assert all(len(json.dumps({"batch": batch}, separators=(",", ":"))) <= BATCH_BYTES for _, batch in space.batches)


def test_a_batch_that_is_refused_is_taken_apart(destination: mappings.Destination, space: Space) -> None:
    """Down to the row whose fault it is; the others are sent."""
    space.refuses = "5"
    with opened(None) as state:
        summary = ran(destination, space, state, *({"id": number, "plan": "p"} for number in range(9)))
        assert summary.outcomes == {"sent": 8, "rejected": 1}
        assert {call["userId"] for call in space.calls} == {*"01234678"}
        space.refuses = ""
        assert ran(destination, space, state, {"id": 5, "plan": "p"}).outcomes == {"sent": 1}


def test_a_run_that_stops_goes_on_where_it_was(destination: mappings.Destination, space: Space, tmp_path: Path) -> None:
    """What was taken is not sent again, and what was not is."""
    rows = [{"id": number, "plan": "x" * 30_000} for number in range(60)]
    space.ends_after = 2
    with pytest.raises(SyncError), opened(tmp_path / "state") as state:
        ran(destination, space, state, *rows)
    sent = len(space.calls)
    assert 0 < sent < 60
    space.ends_after = 10**9
    with opened(tmp_path / "state") as state:
        summary = ran(destination, space, state, *rows)
    assert summary.outcomes == {"unchanged": sent, "sent": 60 - sent}
    assert sorted(int(call["userId"]) for call in space.calls) == list(range(60))


def test_memory_does_not_grow_with_rows(destination: mappings.Destination) -> None:
    """What is held is a batch, however many rows there are."""

    def peak(count: int) -> int:
        rows = Counted({"id": number, "plan": "x" * 200} for number in range(count))
        with opened(None) as state:
            run = Run(destination, Way(lambda *_: None, "key", "there"), state, Rejects(None))
            tracemalloc.start()
            run.take(destination.models["people"], rows)
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert run.summary.outcomes == {"sent": count}
        return most

    assert peak(16_000) < 1.2 * peak(4_000)


def test_a_limit_is_of_rows(destination: mappings.Destination, space: Space) -> None:
    """Of each model; and whoever looks is told of each."""
    seen: list[None] = []
    with opened(None) as state:
        rows = ({"id": number, "plan": "p"} for number in range(9))
        summary = ran(destination, space, state, *rows, limit=3, progressed=lambda: seen.append(None))
    assert (summary.rows, len(seen), len(space.calls)) == (3, 3, 3)


def test_without_a_key_a_row_is_its_own(tmp_path: Path, space: Space) -> None:
    """The same row again is not sent; one that differs in anything is."""
    destination = written(tmp_path, MAPPINGS.replace('key = ["id"]', ""))
    with opened(None) as state:
        ran(destination, space, state, {"id": "a", "plan": "p", "seen": 1}, {"id": "a", "plan": "p", "seen": 1})
        ran(destination, space, state, {"id": "a", "plan": "p", "seen": 1})
        assert ran(destination, space, state, {"id": "a", "plan": "p", "seen": 2}).outcomes == {"sent": 1}


def test_a_row_that_goes_back_is_told_anew(destination: mappings.Destination, space: Space) -> None:
    """With another id: Segment would take the earlier one for a repetition, and keep what the row no longer is."""
    with opened(None) as state:
        for plan in ("pro", "free", "pro"):
            ran(destination, space, state, {"id": "a", "plan": plan})
    assert [call["traits"]["plan"] for call in space.calls] == ["pro", "free", "pro"]
    assert len({call["messageId"] for call in space.calls}) == 3


def test_what_was_not_remembered_keeps_its_id(destination: mappings.Destination, space: Space, tmp_path: Path) -> None:
    """A run that is killed before it could note what was taken sends it with the same id, however often it changed."""
    with opened(tmp_path / "state") as state:
        for plan in ("pro", "free"):
            ran(destination, space, state, {"id": "a", "plan": plan})
    kept = (tmp_path / "state").read_bytes()
    for _ in range(2):
        (tmp_path / "state").write_bytes(kept)
        with opened(tmp_path / "state") as state:
            ran(destination, space, state, {"id": "a", "plan": "pro"})
    assert space.calls[-1]["messageId"] == space.calls[-2]["messageId"] != space.calls[0]["messageId"]


def test_rows_with_one_key_end_as_the_last(destination: mappings.Destination, space: Space) -> None:
    """In every run, whether they wait in one batch or not: nothing goes to and fro."""
    rows = [{"id": "a", "plan": "pro"}, {"id": "a", "plan": "free"}, {"id": "a", "plan": "free"}]
    with opened(None) as state:
        for _ in range(3):
            ran(destination, space, state, *rows)
            assert space.calls[-1]["traits"] == {"plan": "free"}
    assert [call["traits"]["plan"] for call in space.calls] == ["pro", "free"] * 3
    assert len({call["messageId"] for call in space.calls}) == 6


def test_a_row_that_names_no_space_goes_to_none(tmp_path: Path, space: Space) -> None:
    """Where the mapping reads its space from the row, nobody knows whose it is without."""
    named = SECOND.replace('engage_space = "another-key"', 'engage_space = { "@path" = "$.space" }')
    with opened(None) as state:
        rows: list[Row] = [{"id": "a", "plan": "pro", "space": "theirs"}, {"id": "b", "plan": "pro"}]
        summary = ran(written(tmp_path, MAPPINGS.split("[[mappings]]", maxsplit=1)[0] + named), space, state, *rows)
    assert summary.outcomes == {"sent": 1, "rejected": 1}
    assert [write_key for write_key, _ in space.batches] == ["theirs"]


def test_a_column_called_type_is_a_column(tmp_path: Path, space: Space) -> None:
    """The usual trigger is about the action; one of one's own may ask for the column."""
    text = MAPPINGS.replace("trigger = 'properties.plan != \"none\"'\n", "")
    with opened(None) as state:
        row: Row = {"id": "a", "plan": "pro", "type": "premium"}
        assert ran(written(tmp_path, text), space, state, row).outcomes == {"sent": 1}
        chosen = text.replace('"identify"\n', '"identify"\ntrigger = \'type = "other"\'\n')
        assert ran(written(tmp_path, chosen), space, state, row).outcomes == {"not triggered": 1}


def test_what_is_no_row_is_rejected(destination: mappings.Destination, space: Space, tmp_path: Path) -> None:
    """With its reason, and so is what JSON cannot say or what has no end; the others are sent."""
    deep: object = "x"
    for _ in range(600):
        deep = [deep]
    rejects = Rejects(tmp_path / "rejects")
    rows: list[Row | Unreadable] = [
        Unreadable("a,b", "line 2 has 2 columns"),
        {"id": "deep", "plan": deep},
        {"id": "half", "plan": "\ud800"},
        {"id": "fine", "plan": "pro"},
    ]
    with opened(None) as state:
        assert ran(destination, space, state, *rows, rejects=rejects).outcomes == {"rejected": 3, "sent": 1}
    rejects.close()
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "rejects").read_text().splitlines()]
    assert reasons == [
        "line 2 has 2 columns",
        "the column `plan` is deeper than 100 objects and lists in one another.",
        "it holds half a character, which UTF-8 has no way to write.",
    ]


def test_what_a_mapping_decodes_is_looked_at_too(tmp_path: Path, space: Space) -> None:
    """JSON in a text may hold half a character, or have no end."""
    text = MAPPINGS.replace(
        '{ "@path" = "$.plan" }', '{ "@json" = { mode = "decode", value = { "@path" = "$.plan" } } }'
    )
    rows: list[Row] = [{"id": "half", "plan": '"\\ud800"'}, {"id": "deep", "plan": "[" * 900 + "]" * 900}]
    with opened(None) as state:
        summary = ran(written(tmp_path, text), space, state, *rows, {"id": "fine", "plan": "1"})
    assert summary.outcomes["sent"] + summary.outcomes["rejected"] == 3
    assert "half" not in {call["userId"] for call in space.calls}
    assert space.calls[-1]["userId"] == "fine"
