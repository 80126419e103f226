"""How long a section is fresh, and that what was stored is what is read back."""

import math
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize.cache import entry
from personalize.cache.entry import Ages, UnreadableEntry, judge
from personalize.model import (
    AnySection,
    Event,
    EventHistory,
    ExternalId,
    Link,
    ProfileMetadata,
    Section,
    SectionName,
    Standing,
    Traits,
)
from personalize.needs import Events, EventsSpec, SectionSpec, TraitsSpec, WholeSpec

FETCHED = 1_000_000.0
PLAN = TraitsSpec(("plan",), ttl=300)
VIEWED = EventsSpec((Events("Viewed"),), ttl=300)


def traits(*names: str, content: dict[str, object] | None = None) -> Traits:
    return Section({} if content is None else content, names, FETCHED)


NOTHING: Traits = Section(None, ("plan",), FETCHED)
AGES = Ages(revalidate=600, stale=86_400, negative=30, jitter=0)


@pytest.mark.parametrize(
    ("age", "standing", "fresh_for"),
    [
        (0, "fresh", 300),
        (299.5, "fresh", 0.5),
        (300, "stale", 0),
        (599, "stale", -299),
        (600, "expired", -300),
        (86_399, "expired", -86_099),
        (86_400, "gone", 0),
        (1e9, "gone", 0),
    ],
)
def test_a_section_grows_old(age: float, standing: Standing, fresh_for: float) -> None:
    """Fresh, then served while it is read again, then only better than nothing, then gone."""
    judged = judge(traits("plan"), PLAN, FETCHED + age, AGES)
    assert (judged.standing, judged.fresh_for) == (standing, fresh_for)
    assert judged.age == (0 if standing == "gone" else age)


@pytest.mark.parametrize(
    ("ttl", "negative", "age", "standing", "fresh_for"),
    [
        (300, 30, 0, "fresh", 30),
        (300, 30, 29, "fresh", 1),
        (300, 30, 30, "expired", 0),
        (10, 30, 0, "fresh", 10),
        (300, 0, 0, "expired", 0),
    ],
)
def test_a_profile_that_does_not_exist_is_believed_for_less(
    ttl: float, negative: float, age: float, standing: Standing, fresh_for: float
) -> None:
    """For the negative time to live, unless the recipe's own is shorter still; then it is asked again first."""
    ages = Ages(revalidate=600, stale=86_400, negative=negative, jitter=0)
    judged = judge(NOTHING, TraitsSpec(("plan",), ttl), FETCHED + age, ages)
    assert (judged.standing, judged.fresh_for) == (standing, fresh_for)


@pytest.mark.parametrize("content", [{}, {"plan": None}])
def test_a_profile_without_the_trait_exists(content: dict[str, object]) -> None:
    """An empty answer is an answer."""
    assert judge(traits("plan", content=content), PLAN, FETCHED, AGES).fresh_for == 300


@pytest.mark.parametrize(
    ("section", "spec", "standing"),
    [
        (traits("plan"), TraitsSpec(("plan",), 300), "fresh"),
        (traits("age", "plan"), TraitsSpec(("plan",), 300), "fresh"),
        (traits("plan"), TraitsSpec(("age", "plan"), 300), "stale"),
        (traits(), TraitsSpec(("plan",), 300), "stale"),
        (Section((), ("100 Viewed",), FETCHED), EventsSpec((Events("Viewed"),), 300), "fresh"),
        (Section((), ("100 Viewed",), FETCHED), EventsSpec((Events("Viewed"), Events("Ordered")), 300), "stale"),
        (Section((), ("1 Viewed",), FETCHED), EventsSpec((Events("Viewed", limit=100),), 300), "stale"),
        (NOTHING, TraitsSpec(("age", "plan"), 300), "fresh"),
        (Section({}, (), FETCHED), WholeSpec("all_traits", 300), "fresh"),
    ],
)
def test_a_newly_needed_name_makes_a_section_stale(section: AnySection, spec: SectionSpec, standing: str) -> None:
    """It may exist although the section has none of that name; of nobody there is nothing, whatever the name."""
    assert judge(section, spec, FETCHED, AGES).standing == standing


@pytest.mark.parametrize("back", [1, 86_400])
@pytest.mark.parametrize(("section", "standing"), [(traits("plan"), "stale"), (NOTHING, "expired")])
def test_a_value_from_the_future_is_not_fresh(back: float, section: AnySection, standing: str) -> None:
    """A clock that stepped back must not keep a value young for as long as it stepped."""
    assert judge(section, PLAN, FETCHED - back, AGES).standing == standing


@given(fetched_at=st.floats(1e9, 2e9), age=st.floats(0, 700))
def test_jitter_spreads_by_a_tenth_and_no_more(fetched_at: float, age: float) -> None:
    """And it is the same wherever it is computed."""
    section: Traits = Section({}, ("plan",), fetched_at)
    ages = Ages(revalidate=600, stale=86_400, negative=30)
    judged = judge(section, PLAN, fetched_at + age, ages)
    assert judged == judge(section, PLAN, fetched_at + age, ages)
    assert judged.fresh_for == pytest.approx(300 - age, abs=30.001)
    if age < 269.9 or age > 660.1:
        assert judged.standing == ("fresh" if age < 300 else "expired")


def test_what_was_read_together_does_not_grow_old_together() -> None:
    """A thousand profiles of one minute are not read again in one second."""
    ages = Ages(revalidate=600, stale=86_400, negative=30)
    sections: list[Traits] = [Section({}, ("plan",), FETCHED - number / 1000) for number in range(1000)]
    spread = sorted(judge(section, PLAN, FETCHED, ages).fresh_for for section in sections)
    assert spread[0] < 275
    assert spread[-1] > 325


WHEN = datetime(2026, 11, 20, 10, 0, 0, 123456, tzinfo=UTC)
HISTORY: EventHistory = Section(
    (Event("Viewed", WHEN, {"id": "p1", "price": 9.5, "more": [None, {"a": True}]}, "m1"), Event("Viewed", WHEN)),
    ("Viewed",),
    FETCHED + 0.25,
)


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("traits", traits()),
        ("traits", traits("plan", "größe", content={"plan": "pro", "größe": 1.5, "list": [1, "🦊", None, {"a": []}]})),
        ("traits", Section(None, ("plan",), FETCHED)),
        ("traits", traits("id", content={"id": 2**63, "n": -(2**63), "u": 2**64 - 1})),
        ("traits", traits("id", content={"id": 2**64})),
        ("traits", traits("id", content={"id": 12345678901234567890123, "n": -(2**63) - 1, "f": 0.1})),
        ("events", Section((), ("Viewed",), FETCHED)),
        ("events", Section(None, ("Viewed",), FETCHED)),
        ("events", HISTORY),
        ("events", Section((Event("Viewed", WHEN, {"order": 10**30}),), ("Viewed",), FETCHED)),
        ("all_traits", Section({"plan": "pro", "list": [1, {"a": 10**30}]}, (), FETCHED)),
        ("audiences", Section(("gold", "größe"), (), FETCHED)),
        ("all_events", Section((Event("Viewed", WHEN, {"id": 1}, "m1"),), (), FETCHED)),
        ("external_ids", Section((ExternalId("user_id", "ada"), ExternalId("anonymous_id", "🦊")), (), FETCHED)),
        ("links", Section((Link("accounts", (ExternalId("group_id", "g1"),)), Link("users", ())), (), FETCHED)),
        ("metadata", Section(ProfileMetadata("use_1", WHEN, None, WHEN), (), FETCHED)),
        ("metadata", Section(None, (), FETCHED)),
    ],
)
def test_a_section_is_read_back_as_it_was(name: SectionName, section: AnySection) -> None:
    """Its values, its names and the time it was fetched, to the last digit."""
    assert entry.decode(name, entry.encode(section)) == section


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(content=st.none() | st.dictionaries(st.text(), values, max_size=5))
def test_any_traits_are_read_back_as_they_were(content: dict[str, object] | None) -> None:
    """Whatever JSON a trait holds."""
    section: Traits = Section(content, ("a",), FETCHED)
    assert entry.decode("traits", entry.encode(section)) == section


def test_the_format_is_told_by_the_first_byte() -> None:
    """Compact where it can be, and something else where an integer does not fit."""
    assert entry.encode(traits("n", content={"n": 1}))[:1] == entry.MSGPACK
    assert entry.encode(traits("n", content={"n": 2**64}))[:1] == entry.JSON


GOOD = entry.encode(traits("plan", content={"plan": "pro"}))


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"\x00",
        b"\x03" + GOOD[1:],
        b'{"content": {}, "names": [], "fetched_at": 1}',
        entry.MSGPACK,
        entry.JSON,
        entry.JSON + GOOD[1:],
        entry.MSGPACK + b"\xc1",
        entry.MSGPACK + b"\x91" * 100_000,
        entry.JSON + b"[" * 100_000,
        entry.JSON + b'{"content": {}, "names": [], "fetched_at": "x"}',
        entry.JSON + b'{"content": {}, "names": ["\xff"], "fetched_at": 1}',
        entry.MSGPACK + msgspec.msgpack.encode({"names": ["plan"], "fetched_at": 1.0}),
        entry.MSGPACK + msgspec.msgpack.encode([{}, ["plan"], 1.0]),
        GOOD + b"\x00",
        entry.encode(Section({}, ("plan",), math.nan)),
        entry.encode(Section({}, ("plan",), math.inf)),
    ],
    ids=repr,
)
def test_what_is_not_a_section_is_unreadable(stored: bytes) -> None:
    """Another format, another shape or damage is one kind of error, that quotes nothing."""
    with pytest.raises(UnreadableEntry) as refused:
        entry.decode("traits", stored)
    assert refused.value.__cause__ is None
    assert "pro" not in str(refused.value)


@pytest.mark.parametrize("length", range(len(GOOD)))
def test_a_truncated_section_is_unreadable(length: int) -> None:
    """Wherever it was cut."""
    with pytest.raises(UnreadableEntry):
        entry.decode("traits", GOOD[:length])


@pytest.mark.parametrize("name", ["events", "all_events", "audiences", "external_ids", "links"])
def test_one_section_is_not_read_as_another(name: SectionName) -> None:
    """Traits under the name of events are damage."""
    with pytest.raises(UnreadableEntry):
        entry.decode(name, GOOD)


@given(stored=st.binary(max_size=200), at=st.integers(0, len(GOOD) - 1))
def test_damage_never_raises_anything_else(stored: bytes, at: int) -> None:
    """Any bytes, alone or in the midst of a good value, are a section or unreadable."""
    for damaged in (stored, entry.MSGPACK + stored, entry.JSON + stored, GOOD[:at] + stored + GOOD[at:]):
        try:
            assert isinstance(entry.decode("traits", damaged), Section)
        except UnreadableEntry:
            continue
