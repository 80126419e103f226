"""Reads that are under way: whoever wants the same meanwhile waits for the same read."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from msgspec import Struct

from personalize.cache.store import Stamp
from personalize.cache.under_way import UnderWay
from personalize.errors import ProfileApiError
from personalize.fleet.patience import unhurried
from personalize.model import AnySection, SectionName
from personalize.needs import SectionSpec
from personalize.ports import Errand
from personalize.telemetry import logs


class Landing(Struct, frozen=True):
    """What a flight brought: a section or the reason why not; neither if it gave way to another replica's read.

    `shared` says that it came from another replica, `coalesced` that others had asked for it before.
    """

    section: AnySection | None = None
    error: ProfileApiError | None = None
    shared: bool = False
    coalesced: bool = False


NOTHING = Landing()

_Place: TypeAlias = tuple[SectionName, tuple[str, ...]]
"""Which section of a profile a flight reads, and which names of it."""


@dataclass(slots=True, eq=False)
class Flight:
    """A read that is under way, and what it is for.

    `stamp` is the profile's in the shared tier as it was when the Profile API was asked, which `asked` says to be the
    case; `None` where that tier did not answer.
    """

    errand: Errand
    asked: bool = False
    stamp: Stamp | None = None
    task: "asyncio.Task[Landing]" = field(init=False)

    @property
    def landing(self) -> Landing:
        """What it has brought; nothing while it is under way, or when it was cancelled or broke."""
        if not self.task.done() or self.task.cancelled() or self.task.exception() is not None:
            return NOTHING
        return self.task.result()


Read: TypeAlias = Callable[[Flight], Coroutine[Any, Any, Landing]]
"""What a flight does; it is told of itself, to note the stamp."""


class Flights:
    """All reads of a process, by profile, section and the names of it that are read."""

    def __init__(self) -> None:
        self._under_way: UnderWay[_Place, Flight] = UnderWay()

    def find(self, key: str, name: SectionName, spec: SectionSpec) -> Flight | None:
        """Return the flight that brings a section, if there is one."""
        return self._under_way.find(key, (name, spec.asked))

    def start(self, key: str, name: SectionName, spec: SectionSpec, errand: Errand, read: Read) -> Flight:
        """Start a read; from now on it is the one that brings this section."""
        flight = Flight(errand)
        context = unhurried() if errand.priority == "refresh" else None
        flight.task = asyncio.create_task(read(flight), name=f"read {name}", context=context)
        self._under_way.add(key, (name, spec.asked), flight, flight.task)
        flight.task.add_done_callback(partial(_ended, name))
        return flight

    def leave(self, key: str) -> None:
        """Let nobody else wait for the flights of a profile that was forgotten: what they bring is from before."""
        self._under_way.leave(key)

    async def aclose(self) -> None:
        """Cancel all that is under way and wait for its end."""
        await self._under_way.aclose()


def _ended(name: SectionName, task: "asyncio.Task[Landing]") -> None:
    """Tell of a defect that broke a flight here: perhaps nobody waits for it any more."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logs.profile_read_broke(name, error)
