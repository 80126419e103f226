"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """How much there is of everything.

    Args:
        visitors: who come, some of them often.
        few: the same, where each costs more.
        seconds: what a turn takes; `brief`, a short one; `warm_up`, what comes before the first.
        rounds: turns.
        visits: of a simulated day.
        trial: whether it is only to be seen that everything runs.
    """

    visitors: int = 10_000
    few: int = 500
    seconds: int = 5
    brief: int = 2
    warm_up: int = 40
    rounds: int = 5
    visits: int = 3_000
    trial: bool = False


QUICK = Scale(visitors=50, few=5, seconds=1, warm_up=1, rounds=1, visits=30, brief=1, trial=True)
"""That everything runs, and no more."""
