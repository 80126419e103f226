"""What is asked at once is answered at once; and what befalls one is nobody else's."""

import asyncio
from collections.abc import Sequence

import pytest

from personalize.cache.batches import Batches


class Oracle:
    """Answers with the question in capitals, once its gate is open; it records each round."""

    def __init__(self) -> None:
        self.rounds: list[list[str]] = []
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None

    async def answer(self, questions: Sequence[str]) -> list[str]:
        self.rounds.append(list(questions))
        self.asked.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return [one.upper() for one in questions]


@pytest.fixture
def oracle() -> Oracle:
    return Oracle()


async def test_questions_of_one_turn_share_a_round(oracle: Oracle) -> None:
    """Each gets its own answer; a later one is another round."""
    batches = Batches(oracle.answer, most=10)
    assert await asyncio.gather(*(batches.ask(one) for one in "abc")) == ["A", "B", "C"]
    assert await batches.ask("d") == "D"
    assert oracle.rounds == [["a", "b", "c"], ["d"]]


async def test_what_several_ask_is_asked_once(oracle: Oracle) -> None:
    """Within a turn: whoever asks later may not be told what was so before."""
    oracle.gate.clear()
    batches = Batches(oracle.answer, most=10)
    crowd = [asyncio.create_task(batches.ask(one)) for one in "aaba"]
    await oracle.asked.wait()
    later = asyncio.create_task(batches.ask("a"))
    oracle.gate.set()
    assert await asyncio.gather(*crowd, later) == ["A", "A", "B", "A", "A"]
    assert oracle.rounds == [["a", "b"], ["a"]]


async def test_a_crowd_is_answered_in_rounds_of_so_many(oracle: Oracle) -> None:
    """All of them at the same time."""
    batches = Batches(oracle.answer, most=2)
    assert await asyncio.gather(*(batches.ask(one) for one in "abcde")) == ["A", "B", "C", "D", "E"]
    assert oracle.rounds == [["a", "b"], ["c", "d"], ["e"]]


async def test_whoever_gives_up_takes_nobody_along(oracle: Oracle) -> None:
    """The others get their answers."""
    oracle.gate.clear()
    batches = Batches(oracle.answer, most=10)
    one, other = (asyncio.create_task(batches.ask(name)) for name in "ab")
    await oracle.asked.wait()
    one.cancel()
    oracle.gate.set()
    assert await other == "B"
    with pytest.raises(asyncio.CancelledError):
        await one


async def test_a_failed_round_fails_for_all_of_it(oracle: Oracle) -> None:
    """And for nobody of the next."""
    oracle.failure = LookupError("no luck")
    batches = Batches(oracle.answer, most=10)
    assert [type(one) for one in await asyncio.gather(*map(batches.ask, "ab"), return_exceptions=True)] == [
        LookupError,
        LookupError,
    ]
    oracle.failure = None
    assert await batches.ask("c") == "C"


async def test_when_all_ends_nobody_waits_on() -> None:
    """A round that is cancelled cancels those who wait for it."""

    async def ends(_: Sequence[str]) -> list[str]:
        raise asyncio.CancelledError

    batches = Batches(ends, most=10)
    assert [type(one) for one in await asyncio.gather(batches.ask("a"), return_exceptions=True)] == [
        asyncio.CancelledError
    ]
