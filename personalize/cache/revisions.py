"""Revisions: what was known of people and is so no more, in every tier and every replica."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from personalize.cache.amendment import Amendment, Change, Outcome
from personalize.cache.entry import Ages
from personalize.cache.memory import MemoryStore
from personalize.cache.persons import Persons
from personalize.cache.store import Alone, SharedStore
from personalize.telemetry.metrics import Metrics

ERASED = "*"
"""Told like a key before those of people who are erased, and not only amended."""

_TELLING: Sequence[Outcome] = ("written", "invalidated", "repeated", "uncached")
"""What happened to somebody of several keys, the most telling first."""


MAX_UNTOLD = 10_000
"""Keys that are kept to be told when the others can be told again."""


class Revisions:
    """Forgets and amends profiles by their keys.

    The shared tier comes first, with a new stamp: nobody's read from before may be written there from then on. Then
    this process lets go of what it has, and the others are told to do the same.

    Args:
        memory: the in-process tier.
        shared: the tier that replicas share.
        persons: which keys belong together.
        leave: lets go of all that is on its way to a profile.
        forgotten: lets go of what else this process holds of people, whoever was erased.
        ages: until when what is cached is good for what.
        metrics: counts what was forgotten.
        clock: the time in seconds since the epoch.
    """

    def __init__(  # noqa: PLR0913 -- all that a revision reaches
        self,
        memory: MemoryStore,
        shared: SharedStore,
        persons: Persons,
        *,
        leave: Callable[[str], None],
        forgotten: Callable[[], None],
        ages: Ages,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._memory = memory
        self._shared = shared
        self._persons = persons
        self._leave = leave
        self._forgotten = forgotten
        self._ages = ages
        self._metrics = metrics
        self._clock = clock
        self._untold: dict[str, None] = {}

    async def forget(self, named: Iterable[str]) -> bool:
        """Forget people under all their keys; return whether all of it is forgotten.

        Who belongs together is forgotten last: until then it can be tried again, by any replica.
        """
        keys, whole = await self._persons.reach(named)
        for key in keys:
            whole = await self._shared.forget(key) and whole
            self._drop(key)
        self._forgotten()
        whole = await self._tell([ERASED, *keys]) and whole
        return whole and await self._persons.part(keys)

    async def amend(self, named: Sequence[str], amendment: Amendment) -> Outcome | None:
        """Amend what is known under these keys, and age it under those that were learnt together with them.

        Returns what happened, or `None` when the shared tier did not take all of it: it can be tried again.
        """
        whole, others = True, dict[str, None]()
        for key in named:
            near = await self._persons.near(key)
            whole = whole and near is not None
            others |= dict.fromkeys(sorted((near or frozenset()) - set(named)))
        uncertain = replace(amendment, certain=False) if isinstance(amendment, Change) else amendment
        outcomes = {key: await self._amend(key, amendment) for key in named}
        outcomes |= {key: await self._amend(key, uncertain) for key in others}
        changed = [key for key, outcome in outcomes.items() if outcome != "repeated"]
        told = await self._tell(changed)
        if None in outcomes.values() or not (whole and told):
            return None
        return next((one for one in _TELLING if one in outcomes.values()), "uncached")

    async def listen(self) -> None:
        """Drop what other replicas tell to be forgotten or amended, until cancelled."""
        await self._shared.listen(self._heard)

    async def _amend(self, key: str, amendment: Amendment) -> Outcome | None:
        amend = partial(amendment.amended, now=self._clock(), ages=self._ages)
        if isinstance(self._shared, Alone):
            outcome = self._memory.amend(key, amend)
            self._leave(key)
            return outcome
        taken = await self._shared.amend(key, amend)
        if taken != "repeated":
            self._drop(key)
        return taken

    async def _tell(self, keys: Iterable[str]) -> bool:
        """Tell the other replicas, also what they could not be told before; return whether that was said."""
        untold = self._untold | dict.fromkeys(keys)
        told = not untold or await self._shared.tell(untold)
        if told:
            self._untold = {key: None for key in self._untold if key not in untold}
        else:
            self._untold = dict.fromkeys([*untold, *self._untold][-MAX_UNTOLD:])
        return told

    def _drop(self, key: str, origin: str = "here") -> None:
        """Let go of a profile in this process, with what is on its way."""
        self._metrics.invalidations.labels(origin).inc()
        self._memory.drop(key)
        self._leave(key)

    def _heard(self, key: str) -> None:
        """Let go of a profile, and learn anew who it belongs to: the shared tier may have forgotten that."""
        if key == ERASED:
            self._forgotten()
            return
        self._persons.forget(key)
        self._drop(key, "fleet")
