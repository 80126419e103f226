"""Look-ups that are shared: one round trip for a crowd, and none that is older than a forgetting."""

import asyncio

import pytest

from personalize.cache.lookups import Lookups, Specs
from tests.unit.cache.house import BOTH, TRAITS, settled


class Tier:
    """A tier that answers once its gate is open, and records what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()

    async def look_up(self, key: str, specs: Specs) -> int:
        self.asked.append(f"{key} {','.join(specs)}")
        number = len(self.asked)
        await self.gate.wait()
        return number


@pytest.fixture
def tier() -> Tier:
    return Tier()


@pytest.fixture
def lookups(tier: Tier) -> Lookups[int]:
    return Lookups(tier.look_up)


async def test_a_crowd_asks_once(tier: Tier, lookups: Lookups[int]) -> None:
    """All have the one answer, and whoever comes later asks anew."""
    crowd = [asyncio.create_task(lookups.look_up("ada", TRAITS)) for _ in range(100)]
    await settled()
    tier.gate.set()
    assert await asyncio.gather(*crowd) == [1] * 100
    assert await lookups.look_up("ada", TRAITS) == 2
    assert tier.asked == ["ada traits"] * 2


async def test_what_is_not_the_same_is_asked_apart(tier: Tier, lookups: Lookups[int]) -> None:
    """Another visitor, and more sections."""
    tier.gate.set()
    wanted = [("ada", TRAITS), ("bob", TRAITS), ("ada", BOTH)]
    assert await asyncio.gather(*(lookups.look_up(key, specs) for key, specs in wanted)) == [1, 2, 3]


async def test_who_gives_up_takes_nobody_along(tier: Tier, lookups: Lookups[int]) -> None:
    """Not even the one who came first."""
    first, second = (asyncio.create_task(lookups.look_up("ada", TRAITS)) for _ in range(2))
    await settled()
    first.cancel()
    await settled()
    tier.gate.set()
    assert await second == 1
    assert first.cancelled()


async def test_nobody_joins_a_lookup_from_before_a_forgetting(tier: Tier, lookups: Lookups[int]) -> None:
    """Whoever had begun to wait gets what was known then."""
    before = asyncio.create_task(lookups.look_up("ada", TRAITS))
    await settled()
    lookups.leave("ada")
    lookups.leave("nobody")
    after = asyncio.create_task(lookups.look_up("ada", TRAITS))
    await settled()
    joined = asyncio.create_task(lookups.look_up("ada", TRAITS))
    await settled()
    tier.gate.set()
    assert (await before, await after, await joined) == (1, 2, 2)


async def test_closing_ends_what_is_under_way(tier: Tier, lookups: Lookups[int]) -> None:
    waiting = asyncio.create_task(lookups.look_up("ada", TRAITS))
    await settled()
    await lookups.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
