"""Questions that are asked within one turn of the event loop, answered together."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from typing import Any, Generic, TypeVar

Q = TypeVar("Q", bound=Hashable)
A = TypeVar("A")


class Batches(Generic[Q, A]):
    """Lets a crowd share one round trip: what each of them would cost by itself is nearly what all of them cost.

    What several ask is asked once.

    A batch is a held task, so that nobody who gives up takes the others' answers with them.

    Args:
        answer: answers questions, in their order; what it raises is everybody's.
        most: questions of one batch.
    """

    def __init__(self, answer: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], *, most: int) -> None:
        self._answer = answer
        self._most = most
        self._asked: dict[Q, list[asyncio.Future[A]]] = {}
        self._held: set[asyncio.Task[None]] = set()

    async def ask(self, question: Q) -> A:
        """Return the answer to a question."""
        answered: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        if not self._asked:
            self._hold(self._go())  # which begins when this turn is over
        self._asked.setdefault(question, []).append(answered)
        return await answered

    async def _go(self) -> None:
        asked, self._asked = list(self._asked.items()), {}
        for first in range(self._most, len(asked), self._most):
            self._hold(self._run(asked[first : first + self._most]))
        await self._run(asked[: self._most])

    def _hold(self, batch: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(batch, name="batch")
        self._held.add(task)
        task.add_done_callback(self._held.discard)

    async def _run(self, asked: Sequence[tuple[Q, list["asyncio.Future[A]"]]]) -> None:
        waiting = [one for _, crowd in asked for one in crowd]
        try:
            answers = await self._answer([question for question, _ in asked])
        except asyncio.CancelledError:
            for one in waiting:
                one.cancel()
            raise
        except Exception as error:  # noqa: BLE001 -- whatever it is, those who asked get it
            for one in waiting:
                if not one.done():
                    one.set_exception(error)
            return
        for (_, crowd), answer in zip(asked, answers, strict=True):
            for one in crowd:
                if not one.done():
                    one.set_result(answer)
