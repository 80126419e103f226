"""Persons: all the keys that stand for one, as this process and the shared tier have learnt them."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from personalize.cache.aliases import Aliases
from personalize.cache.store import SharedStore

MAX_FARTHER = 500
"""Keys that one forgetting may reach beyond the ids that it names and those learnt together with them. Anybody can put
ids together in a request: a long chain of them must neither take for ever nor keep somebody from being forgotten."""


class Persons:
    """Learns which keys belong together, and finds them again.

    Args:
        shared: the tier that replicas share.
        aliases: what this process knows.
        hold: lets something go on by itself.
    """

    def __init__(
        self, shared: SharedStore, aliases: Aliases, hold: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self._shared = shared
        self._aliases = aliases
        self._hold = hold

    def learn(self, key: str, others: Sequence[str], *, proven: bool) -> None:
        """Remember that other keys stand for the same person as this one, in both directions.

        `proven` is what Segment tells, or somebody who has shown that the keys are theirs; anybody else may have made
        them up. One for which there was no room leaves no trace: else every made-up id would be a key for itself.
        """
        self._learn(key, others, proven=proven)
        for other in self._aliases.of(key).intersection(others):
            self._learn(other, [key], proven=proven)

    async def near(self, key: str) -> frozenset[str] | None:
        """Return the keys that were learnt together with this one; `None` where the shared tier cannot tell.

        It is told what only this process knows: whoever is asked to forget next may be another one.
        """
        mine = self._aliases.of(key)
        theirs = await self._shared.related(key)
        if theirs is None:
            return None
        proven = self._aliases.proven(key)
        for new, shown in ((mine & proven) - theirs, True), (mine - proven - theirs, False):
            if new:
                await self._shared.relate(key, sorted(new), proven=shown)
        return mine | theirs

    async def reach(self, named: Iterable[str]) -> tuple[list[str], bool]:
        """Return all keys of those who are named, the nearest first, and whether the shared tier told all it knows."""
        found = dict.fromkeys(named)
        ring, whole = await self._around(found, found)
        most = len(found) + len(ring) + MAX_FARTHER
        found |= ring
        while ring and len(found) < most:
            ring, sure = await self._around(ring, found)
            ring = dict.fromkeys(list(ring)[: most - len(found)])
            found |= ring
            whole = whole and sure
        return list(found), whole

    def forget(self, key: str) -> None:
        """Forget in this process who a key belongs to."""
        self._aliases.forget(key)

    async def part(self, keys: Iterable[str]) -> bool:
        """Forget everywhere who keys belong to; return whether the shared tier took it."""
        taken = True
        for key in keys:
            self.forget(key)
            taken = await self._shared.part(key) and taken
        return taken

    def _learn(self, key: str, others: Sequence[str], *, proven: bool) -> None:
        if new := self._aliases.learn(key, others, proven=proven):
            self._hold(self._shared.relate(key, new, proven=proven))

    async def _around(self, keys: Iterable[str], found: Iterable[str]) -> tuple[dict[str, None], bool]:
        """Return what was learnt together with keys and is not found yet, and whether the shared tier told it all."""
        around, whole, there = dict[str, None](), True, frozenset(found)
        for key in list(keys):
            others = await self.near(key)
            whole = whole and others is not None
            known = self._aliases.of(key) if others is None else others
            around |= dict.fromkeys(sorted(known - there))
        return around, whole
