"""Look-ups that are under way: a crowd that comes at once costs the shared tier one round trip."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Generic, TypeAlias, TypeVar

from personalize.cache.under_way import UnderWay
from personalize.model import SectionName
from personalize.needs import SectionSpec

T = TypeVar("T")

Specs: TypeAlias = Mapping[SectionName, SectionSpec]
_Asked: TypeAlias = tuple[tuple[SectionName, tuple[str, ...]], ...]


class Lookups(Generic[T]):
    """Shares a look-up among all who want the same of a profile meanwhile.

    Args:
        look_up: looks sections of a profile up.
    """

    def __init__(self, look_up: Callable[[str, Specs], Coroutine[Any, Any, T]]) -> None:
        self._look_up = look_up
        self._under_way: UnderWay[_Asked, asyncio.Task[T]] = UnderWay()

    async def look_up(self, key: str, specs: Specs) -> T:
        """Return what a look-up finds: one that is under way, else a new one."""
        asked = tuple((name, spec.asked) for name, spec in specs.items())
        return await asyncio.shield(self._under_way.find(key, asked) or self._begun(key, asked, specs))

    def leave(self, key: str) -> None:
        """Let nobody else wait for what was begun before a profile was forgotten."""
        self._under_way.leave(key)

    async def aclose(self) -> None:
        """Cancel all that is under way and wait for its end."""
        await self._under_way.aclose()

    def _begun(self, key: str, asked: _Asked, specs: Specs) -> "asyncio.Task[T]":
        task = asyncio.create_task(self._look_up(key, specs), name="look up")
        self._under_way.add(key, asked, task, task)
        return task
