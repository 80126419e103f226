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
        calls: to Segment.
        crowds: numbers of visitors, the first of which the others are held against; `posts`, the same of posts.
        trial: whether it is only to be seen that everything runs.
    """

    visitors: int = 10_000
    few: int = 500
    seconds: float = 5
    brief: float = 2
    warm_up: float = 25
    rounds: int = 3
    visits: int = 3_000
    calls: int = 5_000
    crowds: tuple[int, ...] = (1_000, 10_000, 100_000)
    posts: tuple[int, ...] = (10, 100, 1_000)
    trial: bool = False


QUICK = Scale(
    visitors=10,
    few=5,
    seconds=0.5,
    warm_up=0.5,
    rounds=1,
    visits=30,
    calls=100,
    crowds=(10, 50),
    posts=(10, 20),
    brief=0.5,
    trial=True,
)
"""That everything runs, and no more."""
