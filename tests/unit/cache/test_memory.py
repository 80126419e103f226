"""The in-process tier: it keeps what was used last, within its bytes."""

from personalize.cache import entry
from personalize.cache.memory import ENTRY_BYTES, MemoryStore
from personalize.model import Section, Traits


def section(size: int = 100, fetched_at: float = 1.0) -> Traits:
    return Section({"a": "x" * size}, ("a",), fetched_at)


ONE = ENTRY_BYTES + len(entry.encode(section()))


async def has(store: MemoryStore, key: str) -> bool:
    return "traits" in await store.read(key, ["traits"])


async def test_a_section_is_kept_under_its_profile_and_name() -> None:
    """Another profile and another section have nothing."""
    store = MemoryStore()
    await store.write("ada", "traits", section())
    assert await store.read("ada", ["traits", "events"]) == {"traits": section()}
    assert await store.read("ada", ["events"]) == {}
    assert await store.read("bob", ["traits", "events"]) == {}


async def test_a_newer_section_replaces_an_older_one() -> None:
    """One of a name."""
    store = MemoryStore(ONE)
    await store.write("ada", "traits", section(fetched_at=1.0))
    await store.write("ada", "traits", section(fetched_at=2.0))
    assert await store.read("ada", ["traits"]) == {"traits": section(fetched_at=2.0)}


async def test_a_profile_that_does_not_exist_is_kept() -> None:
    """That there is none is worth knowing."""
    store = MemoryStore()
    nothing: Traits = Section(None, ("a",), 1.0)
    await store.write("nobody", "traits", nothing)
    assert await store.read("nobody", ["traits"]) == {"traits": nothing}


async def test_the_oldest_leave_first_when_bytes_run_out() -> None:
    """The tier holds what fits, counted by encoded size, and no more."""
    store = MemoryStore(3 * ONE)
    for key in ("a", "b", "c", "d"):
        await store.write(key, "traits", section())
    assert [await has(store, key) for key in ("a", "b", "c", "d")] == [False, True, True, True]


async def test_reading_keeps_a_section() -> None:
    """It is not the oldest written that leaves but the longest unread."""
    store = MemoryStore(2 * ONE)
    await store.write("a", "traits", section())
    await store.write("b", "traits", section())
    assert await has(store, "a")
    await store.write("c", "traits", section())
    assert [await has(store, key) for key in ("a", "b", "c")] == [True, False, True]


async def test_a_large_section_pushes_out_several() -> None:
    """Bytes count, not entries."""
    store = MemoryStore(3 * ONE)
    for key in ("a", "b", "c"):
        await store.write(key, "traits", section())
    await store.write("large", "traits", section(100 + ONE - ENTRY_BYTES))
    assert [await has(store, key) for key in ("a", "b", "c", "large")] == [False, False, True, True]


async def test_a_section_larger_than_the_tier_is_refused() -> None:
    """It pushes out nothing else, and the older value that it should have replaced is not served instead."""
    store = MemoryStore(3 * ONE)
    await store.write("a", "traits", section())
    await store.write("b", "traits", section())
    await store.write("a", "traits", section(4 * ONE))
    assert [await has(store, "a"), await has(store, "b")] == [False, True]


async def test_a_section_larger_than_an_empty_tier_is_refused() -> None:
    """Nothing to replace is no error."""
    store = MemoryStore(ONE)
    await store.write("a", "traits", section(2 * ONE))
    assert not await has(store, "a")


async def test_dropping_forgets_every_section_of_one_profile() -> None:
    """And of no other; of an unknown one there is nothing to forget."""
    store = MemoryStore()
    await store.write("ada", "traits", section())
    await store.write("ada", "events", Section((), ("Viewed",), 1.0))
    await store.write("bob", "traits", section())
    await store.drop("ada")
    await store.drop("nobody")
    assert await store.read("ada", ["traits", "events"]) == {}
    assert await has(store, "bob")


async def test_what_was_dropped_makes_room() -> None:
    """The bytes are given back."""
    store = MemoryStore(2 * ONE)
    await store.write("a", "traits", section())
    await store.write("b", "traits", section())
    await store.drop("b")
    await store.write("c", "traits", section())
    assert [await has(store, "a"), await has(store, "c")] == [True, True]
