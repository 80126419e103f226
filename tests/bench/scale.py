"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """How many visitors there are, or few of them; the seconds of a turn and of a warm-up; and how many turns."""

    visitors: int = 10_000
    few: int = 500
    seconds: int = 5
    warm_up: int = 40
    rounds: int = 5


QUICK = Scale(visitors=50, few=5, seconds=1, warm_up=1, rounds=1)
"""That everything runs, and no more."""
