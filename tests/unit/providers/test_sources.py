"""Several sources load together, and none costs another its items."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from personalize.errors import ProviderFailed
from personalize.providers.batch import Batch
from personalize.providers.sources import Sources

Read = Callable[[], Awaitable[Batch[str]]]


def giving(*answers: Batch[str] | BaseException) -> Read:
    """Return a source that gives or raises its answers in turn."""
    left = list(answers)

    async def read() -> Batch[str]:
        answer = left.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return read


def joined(**read: Read) -> Sources[str, list[str]]:
    """Return sources whose items make one list."""
    return Sources(read, lambda batches: [item for batch in batches for item in batch.items], seconds=0.05)


A, B = Batch(("a",), left_out=1), Batch(("b",), left_out=2)


async def test_items_are_in_the_sources_order() -> None:
    """And what they leave out is added up."""
    loaded = await joined(one=giving(A), two=giving(B)).load()
    assert (loaded.items, loaded.problems, loaded.left_out) == (["a", "b"], (), 3)


async def test_equal_batches_are_the_same_collection() -> None:
    """It is not made again."""
    sources = joined(one=giving(A, Batch(("a",), left_out=1), B))
    first = (await sources.load()).items
    assert (await sources.load()).items is first
    assert (await sources.load()).items == ["b"]


async def test_a_source_that_fails_stands_in_with_its_last_batch() -> None:
    """The problem is told beside the items."""
    sources = joined(one=giving(A, ProviderFailed("one is away")), two=giving(B, B))
    await sources.load()
    loaded = await sources.load()
    assert (loaded.items, loaded.problems) == (["a", "b"], ("one is away",))


async def test_a_source_that_never_answered_is_left_out() -> None:
    """The others begin without it."""
    loaded = await joined(one=giving(ProviderFailed("one is away")), two=giving(B)).load()
    assert (loaded.items, loaded.problems) == (["b"], ("one is away",))


async def test_nothing_at_all_is_a_failure() -> None:
    """With every reason."""
    with pytest.raises(ProviderFailed, match="one is away; two is away"):
        await joined(one=giving(ProviderFailed("one is away")), two=giving(ProviderFailed("two is away"))).load()


async def test_a_defect_costs_its_source_only() -> None:
    """It is told by its type, for its message may quote the document."""
    loaded = await joined(one=giving(KeyError("hunter2")), two=giving(B)).load()
    assert (loaded.items, loaded.problems) == (["b"], ("one: unexpected KeyError",))


async def test_a_source_that_hangs_is_left_after_its_time() -> None:
    """The others' items are served."""

    async def hang() -> Batch[str]:
        await asyncio.Event().wait()
        raise AssertionError

    loaded = await joined(one=hang, two=giving(B)).load()
    assert (loaded.items, loaded.problems) == (["b"], ("one took too long",))


async def test_what_is_no_failure_passes() -> None:
    """A process that is told to end does."""
    with pytest.raises(asyncio.CancelledError):
        await joined(one=giving(asyncio.CancelledError()), two=giving(B)).load()
