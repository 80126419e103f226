"""The in-process tier: it keeps what was used last, within its bytes, and not what was forgotten."""

import sys
from collections import Counter
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from personalize.cache import entry, memory
from personalize.cache.amendment import Amended, Record
from personalize.cache.basis import Remembered, remembered
from personalize.cache.memory import ENTRY_BYTES, MAX_BYTES, Kept, MemoryStore
from personalize.cache.store import Alone
from personalize.model import Section, Traits
from personalize.telemetry.metrics import Metrics

KEEP = 60.0


def section(size: int = 100, fetched_at: float = 1.0) -> Traits:
    return Section({"a": "x" * size}, ("a",), fetched_at)


ONE = ENTRY_BYTES + len(entry.encode(section()))


class Store(MemoryStore):
    """A tier with its clock and metrics at hand."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.now = 100.0
        self.metrics = Metrics(CollectorRegistry())
        super().__init__(keep=KEEP, metrics=self.metrics, max_bytes=max_bytes, clock=lambda: self.now)

    def add(self, key: str, one: Traits | None = None, *, checked: float | None = None) -> None:
        self.write(key, "traits", Kept(one or section(), b"", self.now if checked is None else checked))

    def has(self, *keys: str) -> list[bool]:
        return [self.read(key, "traits") is not None for key in keys]

    def value(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"personalize_memory_{name}")


def test_a_section_is_kept_under_its_profile_and_name() -> None:
    """Another profile and another section have nothing; its stamp and when it was compared are kept with it."""
    store = Store()
    store.write("ada", "traits", Kept(section(), b"stamp", 99.0))
    assert store.read("ada", "traits") == Kept(section(), b"stamp", 99.0)
    assert store.read("ada", "events") is None
    assert store.read("bob", "traits") is None


def test_a_newer_section_replaces_an_older_one() -> None:
    """One of a name."""
    store = Store(ONE)
    store.add("ada", section(fetched_at=1.0))
    store.add("ada", section(fetched_at=2.0))
    kept = store.read("ada", "traits")
    assert kept is not None
    assert kept.section == section(fetched_at=2.0)


def test_a_section_that_cannot_be_read_back_is_let_go() -> None:
    """It is no reason to fail for every page that follows: the next read fetches it anew."""
    store = Store()
    store.add("ada", section(fetched_at=float("nan")))
    with capture_logs() as logged:
        assert store.has("ada", "ada") == [False, False]
    assert logged == [{"event": "cached_value_unreadable", "log_level": "warning", "section": "traits"}]
    assert store.value("bytes") == 0


def test_a_profile_that_does_not_exist_is_kept() -> None:
    """That there is none is worth knowing."""
    store = Store()
    store.add("nobody", Section(None, ("a",), 1.0))
    assert store.has("nobody") == [True]


@pytest.mark.parametrize(("after", "there"), [(KEEP - 0.1, True), (KEEP, False)])
def test_an_entry_ends_by_a_clock_that_nobody_sets(after: float, there: bool) -> None:  # noqa: FBT001 -- a column
    """Whatever happens to the clock on the wall."""
    store = Store()
    store.add("ada")
    store.now += after
    assert store.has("ada") == [there]


def test_what_is_over_does_not_stay_until_bytes_run_out() -> None:
    """It goes when something is written; what was used last goes behind what it would have outlived."""
    store, bytes_then = Store(), []
    for key, used in (("a", ""), ("b", ""), ("c", "b"), ("d", ""), ("e", "")):
        store.add(key)
        bytes_then.append(store.value("bytes"))
        store.has(used)
        store.now += KEEP / 2
    assert bytes_then == [ONE, 2 * ONE, 2 * ONE, 3 * ONE, 2 * ONE]
    assert store.value("evictions_total") == 0


def test_the_oldest_leave_first_when_bytes_run_out() -> None:
    """The tier holds what fits, counted by encoded size, and no more; what it let go is counted."""
    store = Store(3 * ONE)
    for key in ("a", "b", "c", "d"):
        store.add(key)
    assert store.has("a", "b", "c", "d") == [False, True, True, True]
    assert (store.value("evictions_total"), store.value("bytes")) == (1, 3 * ONE)


def test_reading_keeps_a_section() -> None:
    """It is not the oldest written that leaves but the longest unread."""
    store = Store(2 * ONE)
    store.add("a")
    store.add("b")
    assert store.has("a") == [True]
    store.add("c")
    assert store.has("a", "b", "c") == [True, False, True]


def test_a_large_section_pushes_out_several() -> None:
    """Bytes count, not entries."""
    store = Store(3 * ONE)
    for key in ("a", "b", "c"):
        store.add(key)
    store.add("large", section(100 + ONE - ENTRY_BYTES))
    assert store.has("a", "b", "c", "large")[0] is False
    assert store.has("large") == [True]


def test_a_section_larger_than_the_tier_is_refused() -> None:
    """It pushes out nothing else, and the older value that it should have replaced is not served instead."""
    store = Store(3 * ONE)
    store.add("a")
    store.add("b")
    store.add("a", section(4 * ONE))
    store.add("new", section(4 * ONE))
    assert store.has("a", "b", "new") == [False, True, False]
    assert store.value("evictions_total") == 0


def test_dropping_forgets_every_section_of_one_profile() -> None:
    """And of no other; of an unknown one there is nothing to forget. What was dropped makes room."""
    store = Store()
    store.add("ada")
    store.write("ada", "events", Kept(Section((), ("Viewed",), 1.0), b"", store.now))
    store.add("bob")
    store.drop("ada")
    store.drop("nobody")
    assert store.read("ada", "events") is None
    assert store.has("ada", "bob") == [False, True]
    assert store.value("bytes") == ONE


def test_what_was_known_before_a_drop_cannot_come_back() -> None:
    """Only what was compared after it."""
    store = Store()
    store.drop("ada")
    store.add("ada", checked=store.now)
    store.add("bob", checked=store.now)
    assert store.has("ada", "bob") == [False, True]
    store.now += 0.001
    store.add("ada")
    assert store.has("ada") == [True]


def test_more_drops_than_can_be_remembered_are_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was compared before the oldest of them is refused for everybody."""
    monkeypatch.setattr(memory, "MAX_DROPS", 2)
    store = Store()
    for key in ("a", "b", "c"):
        store.now += 1
        store.drop(key)
    store.add("a", checked=101.0)
    store.add("d", checked=101.0)
    store.add("e", checked=101.5)
    store.add("b", checked=101.5)
    assert store.has("a", "d", "e", "b") == [False, False, True, False]


def basis(store: Store, key: str) -> Remembered:
    """Return what an answer about a profile would rest on."""
    found = remembered(store, Alone(), key, ("traits",))
    assert found is not None
    return found


def test_what_answers_rest_on_does_not_keep_what_was_let_go() -> None:
    """Many more answers are remembered than there is room for the profiles that they were made of."""
    store = Store(2 * ONE)
    bases = []
    for number in range(50):
        store.add(str(number))
        bases.append(basis(store, str(number)))
    referred_to = Counter(sys.getrefcount(mark) for one in bases for mark in one.marks)
    fewest = min(referred_to)
    assert referred_to == {fewest: 48, fewest + 1: 2}  # by their entries
    assert sum(one.holds() for one in bases) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.add("ada"),
        lambda store: store.add("ada", section(4 * ONE)),
        lambda store: store.drop("ada"),
        lambda store: store.discard("ada", "traits"),
        lambda store: store.amend("ada", lambda record: Amended(Record(record.sections, {}), "written")),
        lambda store: store.amend("ada", lambda _: Amended(Record({}, {}), "invalidated")),
        lambda store: [store.add(str(number)) for number in range(20)],
    ],
    ids=["written", "grown too large", "dropped", "discarded", "amended", "aged", "evicted"],
)
def test_an_answer_does_not_outlive_what_it_rests_on(change: Callable[[Store], object]) -> None:
    """Whatever became of that; and what is there instead is another thing to rest on."""
    store = Store(3 * ONE)
    store.add("ada")
    store.add("bob")
    before = basis(store, "ada")
    assert before.holds()
    change(store)
    assert not before.holds()
    again = remembered(store, Alone(), "ada", ("traits",))
    assert again is None or again.holds()


def test_another_profile_is_another_matter() -> None:
    """What becomes of it changes nothing here."""
    store = Store()
    store.add("ada")
    store.add("bob")
    before = basis(store, "ada")
    store.add("bob")
    store.drop("bob")
    assert before.holds()


def test_what_answers_rest_on_is_not_the_first_to_go() -> None:
    """Though nobody reads it: they only look whether it is still there."""
    store = Store(2 * ONE)
    store.add("a")
    rests = basis(store, "a")
    for key in ("b", "c"):
        store.add(key)
        assert rests.holds()
    assert store.has("a", "b", "c") == [True, False, True]
    assert store.value("evictions_total") == 1


def test_not_everything_can_be_spared() -> None:
    """Where answers rest on all there is, the tier keeps to its bytes all the same."""
    store = Store(12 * ONE)
    for number in range(40):
        store.add(str(number))
        assert basis(store, str(number)).holds()
    assert store.value("bytes") == 12 * ONE
    assert store.value("evictions_total") == 28
