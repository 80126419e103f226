"""Budgets that a test decides on, which record what they are asked."""

from dataclasses import dataclass, field

from personalize.ports import Priority
from personalize.profile_api.budget import Granted
from tests.loops import now


@dataclass
class Metered:
    """A call every `every` seconds, none before `free_at`, and a pause when it is told to. It answers at once."""

    every: float = 0.0
    free_at: float = 0.0
    paused_until: float = 0.0
    asked: list[Priority] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)

    async def take(self, priority: Priority) -> Granted:
        self.asked.append(priority)
        if now() < self.paused_until:
            return Granted(self.paused_until - now(), paused=True)
        if now() < self.free_at:
            return Granted(self.free_at - now())
        self.free_at = now() + self.every
        return Granted()

    async def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.paused_until = now() + seconds
