"""What is under way for profiles: whoever wants the same meanwhile shares it.

It is done by held tasks, so that no page that gives up takes others' work with it.
"""

import asyncio
from collections.abc import Hashable
from typing import Any, Generic, TypeVar

P = TypeVar("P", bound=Hashable)
T = TypeVar("T")


class UnderWay(Generic[P, T]):
    """Work by profile and place, each with the task that does it, for as long as that runs."""

    def __init__(self) -> None:
        self._by_profile: dict[str, dict[P, T]] = {}
        self._held: set[asyncio.Task[Any]] = set()

    def find(self, key: str, place: P) -> T | None:
        """Return what is under way for a profile in a place, if something is."""
        return self._by_profile.get(key, {}).get(place)

    def add(self, key: str, place: P, work: T, task: "asyncio.Task[Any]") -> None:
        """Let work be found until its task has ended, or the profile is left."""
        self._by_profile.setdefault(key, {})[place] = work
        self._held.add(task)
        task.add_done_callback(lambda _: self._ended(key, place, work, task))

    def leave(self, key: str) -> None:
        """Let nobody else find what was begun before a profile was forgotten."""
        self._by_profile.pop(key, None)

    async def aclose(self) -> None:
        """Cancel all that is under way and wait for its end."""
        tasks = list(self._held)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, key: str, place: P, work: T, task: "asyncio.Task[Any]") -> None:
        self._held.discard(task)
        works = self._by_profile.get(key, {})
        if works.get(place) is work:
            del works[place]
            if not works:
                del self._by_profile[key]
