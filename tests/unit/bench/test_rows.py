"""The table of the benchmarks: what is judged, and how it is told."""

from dataclasses import replace
from typing import Literal

import pytest

from tests.bench.day import BEGUN, ideal_calls
from tests.bench.document import BEGIN, END, measured
from tests.bench.rows import Row, compared, markdown

ROW = Row("work", "a rival", 30.0, 40.0, "/s", "ratio", 0.75, ">=", 0.6, 0.8)
MACHINE = {"date": "2026-11-28", "cores": "2", "python": "3.11", "uvicorn": "0"}

Sense = Literal[">=", "<="]


@pytest.mark.parametrize(
    ("sense", "result", "holds", "reached"),
    [
        (">=", 0.59, False, False),
        (">=", 0.6, True, False),
        (">=", 0.8, True, True),
        ("<=", 1.2, False, False),
        ("<=", 1.1, True, False),
        ("<=", 1.0, True, True),
    ],
)
def test_a_row_is_judged_by_its_bound_and_its_aim(sense: Sense, result: float, *, holds: bool, reached: bool) -> None:
    """Which themselves are good enough; some have to be as large as that, and others as small."""
    bound, aim = (0.6, 0.8) if sense == ">=" else (1.1, 1.0)
    row = replace(ROW, sense=sense, result=result, bound=bound, aim=aim)
    assert (row.holds, row.reached) == (holds, reached)
    assert (row.told["holds"], row.told["reached"]) == (holds, reached)


def test_two_are_measured_in_turns() -> None:
    """The ratio is the median of the turns' own: a machine that was slow for one turn was so for both."""
    turns: list[str] = []

    def measuring(name: str, *rates: float) -> float:
        turns.append(name)
        return rates[turns.count(name) - 1]

    seen = compared(lambda: measuring("ours", 50, 10, 70), lambda: measuring("theirs", 100, 10, 100), 3)
    assert turns == ["ours", "theirs"] * 3
    assert (seen.ours, seen.theirs, seen.ratio) == (50, 100, 0.7)


def test_a_document_gets_what_was_measured_between_its_marks() -> None:
    """As often as one likes; all around it stays."""
    document = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = measured(document, MACHINE, [ROW])
    assert once == measured(once, MACHINE, [ROW])
    assert once.startswith(f"before\n{BEGIN}\nMeasured on 2026-11-28: 2 cores, Python 3.11")
    assert once.endswith(f"{markdown([ROW])}\n{END}\nafter\n")
    assert "| work | a rival | 30/s | 40/s | 0.75 (ratio) | ≥ 0.6: yes | ≥ 0.8: no |" in once
    with pytest.raises(ValueError, match="no place"):
        measured("before and after", MACHINE, [ROW])


def test_an_ideal_cache_reads_what_is_too_old() -> None:
    """Traits for five minutes, events for one, of each visitor by itself."""
    pages = [(BEGUN + at, who) for at, who in ((0, 1), (59, 1), (60, 1), (60, 2), (299, 1), (300, 1))]
    assert ideal_calls(pages) == 2 + 0 + 1 + 2 + 1 + 1
