"""The line: who waits for the rate budget, in which order, and for how long."""

import asyncio
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from personalize.errors import Shed
from personalize.ports import Errand, Priority
from personalize.profile_api.line import LONGEST, Line
from tests.loops import now, run
from tests.unit.profile_api.budgets import Metered


class Bench:
    """A line before a metered budget, and how each errand fared: its name, the time, and why it was shed."""

    def __init__(self, every: float = 0.1) -> None:
        self.budget = Metered(every)
        self.line = Line(self.budget, now)
        self.fared: list[tuple[str, float, str]] = []
        self.begun = now()
        self._errands: list[asyncio.Task[None]] = []

    def come(self, name: str, priority: Priority = "page", *, patience: float = 0.8) -> asyncio.Task[None]:
        """Let an errand come that has so long to wait."""
        errand = Errand(priority, now() + patience)
        self._errands.append(asyncio.create_task(self._come(name, errand)))
        return self._errands[-1]

    async def end(self) -> list[tuple[str, float, str]]:
        """Wait until everybody has fared somehow."""
        await asyncio.gather(*self._errands, return_exceptions=True)
        return self.fared

    async def _come(self, name: str, errand: Errand) -> None:
        try:
            await self.line.turn(errand)
            fared = "sent"
        except Shed as shed:
            fared = shed.reason
        self.fared.append((name, round(now() - self.begun, 3), fared))


def test_within_the_budget_nobody_waits() -> None:
    """One question each."""

    async def test() -> None:
        bench = Bench(every=0.0)
        for name in "abc":
            bench.come(name, "refresh")
        assert await bench.end() == [("a", 0, "sent"), ("b", 0, "sent"), ("c", 0, "sent")]
        assert len(bench.budget.asked) == 3

    run(test())


def test_a_refresh_never_waits() -> None:
    """Somebody was served already; it is shed over budget, and while others wait it does not even ask."""

    async def test() -> None:
        bench = Bench()
        bench.come("first")
        bench.come("early", "refresh")
        bench.come("waits")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        bench.come("late", "refresh")
        assert await bench.end() == [
            ("first", 0, "sent"),
            ("early", 0, "budget"),
            ("late", 0, "budget"),
            ("waits", 0.1, "sent"),
        ]
        assert bench.budget.asked.count("refresh") == 1

    run(test())


def test_pages_are_sent_in_the_order_of_their_coming() -> None:
    """One by one as the budget allows; only the first of them asks it, once to hear how long, and once after that."""

    async def test() -> None:
        bench = Bench()
        for name in "abcde":
            bench.come(name)
        fared = await bench.end()
        assert fared == [(name, round(0.1 * place, 3), "sent") for place, name in enumerate("abcde")]
        assert len(bench.budget.asked) == 1 + 4 * 2

    run(test())


def test_servers_come_before_pages() -> None:
    """Also before the page that was the first of the line and waited for its turn."""

    async def test() -> None:
        bench = Bench()
        for name in ("first", "page1", "page2"):
            bench.come(name)
        await asyncio.sleep(0.05)
        bench.come("server1", "server")
        bench.come("server2", "server")
        assert [name for name, _, _ in await bench.end()] == ["first", "server1", "server2", "page1", "page2"]

    run(test())


def test_who_cannot_be_sent_in_time_is_shed_at_once() -> None:
    """A page that has to be served without an answer is served at once, not at its deadline."""

    async def test() -> None:
        bench = Bench(every=1.0)
        bench.come("first")
        bench.come("page", patience=0.8)
        bench.come("late", patience=-1.0)
        assert await bench.end() == [("first", 0, "sent"), ("page", 0, "budget"), ("late", 0, "budget")]

    run(test())


def test_who_waits_in_vain_is_shed_by_its_deadline() -> None:
    """Nobody is sent after it, wherever in the line it stands."""

    async def test() -> None:
        bench = Bench()
        for name in "abcdef":
            bench.come(name, patience=0.25)
        fared = {name: (at, how) for name, at, how in await bench.end()}
        assert [name for name, (_, how) in fared.items() if how == "sent"] == ["a", "b", "c"]
        assert all(at <= 0.25 for at, _ in fared.values())
        assert {how for _, how in fared.values()} == {"sent", "budget"}

    run(test())


def test_who_stands_behind_more_patient_ones_is_shed_by_its_own_deadline() -> None:
    """They are before it all the same."""

    async def test() -> None:
        bench = Bench()
        for name in "abcd":
            bench.come(name)
        bench.come("hurries", patience=0.25)
        fared = await bench.end()
        assert ("hurries", 0.25, "budget") in fared
        assert [name for name, _, how in fared if how == "sent"] == ["a", "b", "c", "d"]

    run(test())


def test_a_pause_is_told_as_one() -> None:
    """The operator sees whether it is the budget or a 429."""

    async def test() -> None:
        bench = Bench(every=0.0)
        bench.budget.paused_until = now() + 30
        bench.come("page")
        bench.come("refresh", "refresh")
        assert {how for _, _, how in await bench.end()} == {"paused"}

    run(test())


def test_after_a_short_pause_the_line_goes_on() -> None:
    """In its order."""

    async def test() -> None:
        bench = Bench(every=0.0)
        bench.budget.paused_until = now() + 0.5
        for name in "abc":
            bench.come(name)
        assert await bench.end() == [(name, 0.5, "sent") for name in "abc"]

    run(test())


def test_the_line_is_bounded() -> None:
    """More are shed at once; a line of pages does not keep a server out."""

    async def test() -> None:
        bench = Bench(every=0.001)
        for number in range(LONGEST + 10):
            bench.come(f"{number}", patience=5)
        await asyncio.sleep(0.0005)
        bench.come("server", "server")
        fared = await bench.end()
        assert [how for _, _, how in fared].count("budget") == 9  # one was sent at once
        assert ("server", "sent") in [(name, how) for name, _, how in fared]

    run(test())


def test_who_goes_away_makes_room() -> None:
    """A read that is given up leaves the line, and the next one becomes the first."""

    async def test() -> None:
        bench = Bench()
        bench.come("first")
        waits = bench.come("gone")
        bench.come("next")
        await asyncio.sleep(0.05)
        waits.cancel()
        assert await bench.end() == [("first", 0, "sent"), ("next", 0.1, "sent")]

    run(test())


@given(
    st.lists(
        st.tuples(st.sampled_from(["server", "page", "refresh"]), st.floats(0, 0.3), st.floats(-0.1, 2), st.booleans()),
        max_size=40,
    )
)
def test_nobody_is_sent_over_the_budget_or_too_late(coming: list[tuple[Priority, float, float, bool]]) -> None:
    """Whoever comes when, and whoever goes away: each fares somehow, by its deadline, and the line ends empty."""

    async def test() -> None:
        bench = Bench()
        deadlines = {}
        for number, (priority, wait, patience, goes) in enumerate(coming):
            await asyncio.sleep(wait)
            errand = bench.come(f"{number}", priority, patience=patience)
            deadlines[f"{number}"] = now() - bench.begun + max(patience, 0)
            if goes:
                asyncio.get_running_loop().call_later(0.15, errand.cancel)
        fared = await bench.end()
        sent = sorted(at for _, at, how in fared if how == "sent")
        assert all(later - earlier >= 0.1 - 0.002 for earlier, later in pairwise(sent))
        assert all(at <= deadlines[name] + 0.002 for name, at, _ in fared)
        bench.budget.free_at = 0
        bench.come("last")
        assert ("last", "sent") in [(name, how) for name, _, how in await bench.end()]

    run(test())
