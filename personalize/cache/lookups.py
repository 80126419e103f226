"""Look-ups that are under way: a crowd that comes at once costs the shared tier one round trip."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeAlias, TypeVar

from personalize.model import SectionName
from personalize.needs import SectionSpec

T = TypeVar("T")

Specs: TypeAlias = Mapping[SectionName, SectionSpec]
_Asked: TypeAlias = tuple[tuple[SectionName, tuple[str, ...]], ...]


class Lookups(Generic[T]):
    """Shares a look-up among all who want the same of a profile meanwhile.

    It is a held task, so that no page that gives up takes the others' look-up with it.

    Args:
        look_up: looks sections of a profile up.
    """

    def __init__(self, look_up: Callable[[str, Specs], Awaitable[T]]) -> None:
        self._look_up = look_up
        self._by_profile: dict[str, dict[_Asked, asyncio.Task[T]]] = {}
        self._held: set[asyncio.Task[T]] = set()

    async def look_up(self, key: str, specs: Specs) -> T:
        """Return what a look-up finds: one that is under way, else a new one."""
        asked = tuple((name, spec.asked) for name, spec in specs.items())
        task = self._by_profile.get(key, {}).get(asked)
        return await asyncio.shield(task or self._begun(key, asked, specs))

    def leave(self, key: str) -> None:
        """Let nobody else wait for what was begun before a profile was forgotten."""
        self._by_profile.pop(key, None)

    async def aclose(self) -> None:
        """Cancel all that is under way and wait for its end."""
        for task in self._held:
            task.cancel()
        await asyncio.gather(*self._held, return_exceptions=True)

    def _begun(self, key: str, asked: _Asked, specs: Specs) -> "asyncio.Task[T]":
        task = asyncio.create_task(self._looked_up(key, specs), name="look up")
        self._by_profile.setdefault(key, {})[asked] = task
        self._held.add(task)
        task.add_done_callback(lambda _: self._ended(key, asked, task))
        return task

    async def _looked_up(self, key: str, specs: Specs) -> T:
        return await self._look_up(key, specs)

    def _ended(self, key: str, asked: _Asked, task: "asyncio.Task[T]") -> None:
        self._held.discard(task)
        tasks = self._by_profile.get(key, {})
        if tasks.get(asked) is task:
            del tasks[asked]
            if not tasks:
                del self._by_profile[key]
