"""A row of the table: something of ours beside something else, measured in turns."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, and how it has to come out.

    `result` is what is judged: a ratio or a difference of `ours` and `theirs`, as `judged` says in words. It has to be
    at least `bound`, or at most, as `sense` says; `aim` is what would be better still.
    """

    work: str
    beside: str
    ours: float
    theirs: float
    unit: str
    judged: str
    result: float
    sense: Literal[">=", "<="]
    bound: float
    aim: float

    @property
    def holds(self) -> bool:
        """Whether it is as good as it has to be."""
        return self.result >= self.bound if self.sense == ">=" else self.result <= self.bound

    @property
    def reached(self) -> bool:
        """Whether it is even as good as it should be."""
        return self.result >= self.aim if self.sense == ">=" else self.result <= self.aim

    @property
    def told(self) -> dict[str, Any]:
        """The row as JSON."""
        return {**asdict(self), "holds": self.holds, "reached": self.reached}


@dataclass(frozen=True, slots=True)
class Compared:
    """Medians of two things that were measured in turns, and of their ratios, ours by theirs, turn by turn."""

    ours: float
    theirs: float
    ratio: float


def compared(ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> Compared:
    """Measure two things in turns."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    mine, others = zip(*pairs, strict=True)
    ratio = statistics.median(one / other for one, other in pairs)
    return Compared(statistics.median(mine), statistics.median(others), ratio)


def table(rows: Iterable[Row]) -> Table:
    """Return rows as they are shown."""
    shown = Table("work", "beside", "ours", "theirs", "", "is", "has to be", "aim", "")
    for row in rows:
        numbers = (_number(row.ours) + row.unit, _number(row.theirs) + row.unit, row.judged, f"{row.result:,.2f}")
        verdict = "[red]not so[/]" if not row.holds else "[green]aim[/]" if row.reached else "[green]ok[/]"
        shown.add_row(row.work, row.beside, *numbers, f"{row.sense} {row.bound:g}", f"{row.aim:g}", verdict)
    return shown


def markdown(rows: Iterable[Row]) -> str:
    """Return rows as a document has them: what is judged, and whether it reached the bound and the aim."""
    lines = ["| work | beside | ours | theirs | is | has to be | aim |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        numbers = (
            _number(row.ours) + row.unit,
            _number(row.theirs) + row.unit,
            f"{_number(row.result)} ({row.judged})",
        )
        wanted = (_said(row.sense, row.bound, held=row.holds), _said(row.sense, row.aim, held=row.reached))
        lines.append(f"| {' | '.join((row.work, row.beside, *numbers, *wanted))} |")
    return "\n".join(lines)


def _said(sense: str, wanted: float, *, held: bool) -> str:
    return f"{'≥' if sense == '>=' else '≤'} {_number(wanted)}: {'yes' if held else 'no'}"


def _number(value: float) -> str:
    """Return a number with four digits that count, and never with an exponent."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
