"""What calls may cost: the rate budget as the guard asks for it, and one without a limit."""

from dataclasses import dataclass
from typing import Protocol

from personalize.ports import Priority


class Grant(Protocol):
    """What the budget says to a call."""

    @property
    def wait(self) -> float:
        """0: send it now. Else seconds after which it is worth asking again; nothing is reserved."""
        ...

    @property
    def paused(self) -> bool:
        """Whether the wait is a 429's pause, and not the budget."""
        ...


class RateBudget(Protocol):
    """The calls that the space's rate limit allows, shared by the fleet. Both methods are bounded and never raise."""

    async def take(self, priority: Priority) -> Grant:
        """Spend one call, if there is one to spend."""
        ...

    async def pause(self, seconds: float) -> None:
        """Grant nothing to anybody for so long."""
        ...


@dataclass(frozen=True, slots=True)
class Granted:
    """Send it now."""

    wait: float = 0.0
    paused: bool = False


class Unlimited:
    """A budget that is never spent, for where nothing has to be shared."""

    async def take(self, priority: Priority) -> Granted:  # noqa: ARG002 -- all are equal
        """Grant it."""
        return Granted()

    async def pause(self, seconds: float) -> None:
        """Go on: there is nobody to tell."""
