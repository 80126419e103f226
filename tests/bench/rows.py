"""A row of the table: something of ours beside something else, measured in turns, as a ratio."""

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured. `ratio` is ours by theirs where more is better, else theirs by ours: above 1 is our favour."""

    work: str
    beside: str
    ours: float
    theirs: float
    unit: str
    ratio: float
    least: float
    aim: float

    @property
    def holds(self) -> bool:
        """Whether it is as good as it has to be."""
        return self.ratio >= self.least

    @property
    def told(self) -> dict[str, Any]:
        """The row as JSON."""
        return {**asdict(self), "holds": self.holds}


def compared(
    ours: Callable[[], float], theirs: Callable[[], float], rounds: int = ROUNDS
) -> tuple[float, float, float]:
    """Measure two things in turns, and return both medians, and the median of the rounds' ratios, ours by theirs."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    mine, others = zip(*pairs, strict=True)
    return statistics.median(mine), statistics.median(others), statistics.median(one / other for one, other in pairs)


def table(rows: list[Row]) -> Table:
    """Return rows as they are shown."""
    shown = Table("work", "beside", "ours", "theirs", "ratio", "at least", "aim", "")
    for row in rows:
        numbers = (f"{row.ours:,.0f}{row.unit}", f"{row.theirs:,.0f}{row.unit}", f"{row.ratio:.2f}")
        verdict = "[green]ok[/]" if row.holds else "[red]too little[/]"
        shown.add_row(row.work, row.beside, *numbers, f"{row.least:g}", f"{row.aim:g}", verdict)
    return shown
