"""What becomes of a cached profile when something of it is said to have changed."""

import pytest

from personalize.cache import entry
from personalize.cache.amendment import AHEAD_SECONDS, MAX_SAID, Change, Doubt, Record
from personalize.model import JSON, AnySection, Section, SectionName
from personalize.needs import TraitsSpec
from tests.unit.cache.house import AGES, NOW

READ = NOW - 100.0
PRO: AnySection = Section({"plan": "pro", "city": "Ulm"}, ("city", "plan"), READ)
ALL: AnySection = Section({"plan": "pro"}, (), READ)
IN: AnySection = Section(("vip", "pro"), (), READ)
VIEWED: AnySection = Section((), ("Viewed",), READ)
NOBODY: AnySection = Section(None, ("plan",), READ)
EVERYTHING: dict[SectionName, AnySection] = {"traits": PRO, "all_traits": ALL, "audiences": IN, "events": VIEWED}


def change(value: JSON = "team", at: float = NOW - 10, trait: str = "plan", **more: bool) -> Change:
    return Change(trait, value, at, **more)


def standing(section: AnySection) -> str:
    return entry.judge(section, TraitsSpec(("plan",), ttl=300), NOW, AGES).standing


def test_a_new_value_is_written_where_the_trait_is() -> None:
    """Into the traits that were asked for and among all of them; nothing is younger for that."""
    amended = change().amended(Record(EVERYTHING), NOW, AGES)
    assert amended.outcome == "written"
    assert amended.record.sections == {
        **EVERYTHING,
        "traits": Section({"plan": "team", "city": "Ulm"}, ("city", "plan"), READ),
        "all_traits": Section({"plan": "team"}, (), READ),
    }
    assert amended.record.said == {"plan": NOW - 10}
    assert PRO.content == {"plan": "pro", "city": "Ulm"}


def test_a_trait_that_nobody_asked_for_is_not_written() -> None:
    """A section tells of what it was asked, and of nothing else."""
    amended = change(trait="age").amended(Record({"traits": PRO, "events": VIEWED}), NOW, AGES)
    assert (amended.outcome, amended.record.sections) == ("uncached", {"traits": PRO, "events": VIEWED})


def test_a_value_that_there_is_none_of_any_more_is_removed() -> None:
    """As the Profile API would leave it out."""
    sections = change(None).amended(Record(EVERYTHING), NOW, AGES).record.sections
    assert (sections["traits"].content, sections["all_traits"].content) == ({"city": "Ulm"}, {})


@pytest.mark.parametrize(
    ("trait", "value", "members"),
    [
        ("new", True, ("vip", "pro", "new")),
        ("vip", True, ("vip", "pro")),
        ("vip", False, ("pro",)),
        ("no", False, None),
    ],
)
def test_an_audience_has_who_entered_it(trait: str, value: JSON, members: tuple[str, ...] | None) -> None:
    """And no more who left it; twice is once."""
    record = Record({"audiences": IN})
    sections = change(value, trait=trait, audience=True).amended(record, NOW, AGES).record.sections
    assert sections["audiences"].content == (members or IN.content)
    assert sections["audiences"].fetched_at == READ


def test_a_trait_is_no_audience() -> None:
    """Whatever its value."""
    assert change(value=True, trait="vip2").amended(Record({"audiences": IN}), NOW, AGES).outcome == "uncached"


@pytest.mark.parametrize(
    ("at", "outcome"),
    [
        (READ + 0.001, "written"),
        (READ, "invalidated"),
        (READ - 0.001, "invalidated"),
        (NOW + AHEAD_SECONDS, "written"),
        (NOW + AHEAD_SECONDS + 0.001, "invalidated"),
    ],
)
def test_a_value_is_only_written_over_what_was_read_before(at: float, outcome: str) -> None:
    """Else nobody knows which is the later: it is read again, and what is known stays for when that fails."""
    amended = change(at=at).amended(Record(EVERYTHING), NOW, AGES)
    assert amended.outcome == outcome
    traits = amended.record.sections["traits"]
    assert standing(traits) == ("fresh" if outcome == "written" else "expired")
    assert traits.content == ({"plan": "team", "city": "Ulm"} if outcome == "written" else PRO.content)
    assert amended.record.sections["events"] is VIEWED


def test_what_comes_from_the_future_is_not_remembered() -> None:
    """It would keep every later change out."""
    assert change(at=NOW + 3600).amended(Record(EVERYTHING), NOW, AGES).record.said == {}


def test_an_older_change_never_overwrites_a_newer() -> None:
    """Nor does the same one twice, whatever came between."""
    after = change("team", NOW - 10).amended(Record(EVERYTHING), NOW, AGES).record
    for late in (change("team", NOW - 10), change("old", NOW - 11)):
        amended = late.amended(after, NOW, AGES)
        assert (amended.outcome, amended.record) == ("repeated", after)
    assert change("city", NOW - 50, "city").amended(after, NOW, AGES).outcome == "written"


def test_of_two_changes_at_one_time_none_is_believed() -> None:
    """Times are told in milliseconds, and somebody may do two things in one."""
    after = change("team", NOW - 10).amended(Record(EVERYTHING), NOW, AGES).record
    amended = change("solo", NOW - 10).amended(after, NOW, AGES)
    assert amended.outcome == "invalidated"
    assert standing(amended.record.sections["traits"]) == "expired"


def test_an_id_that_was_only_seen_together_gets_no_value() -> None:
    """What it has is read again, once."""
    amended = change(certain=False).amended(Record(EVERYTHING), NOW, AGES)
    assert amended.outcome == "invalidated"
    assert {name for name in EVERYTHING if standing(amended.record.sections[name]) == "expired"} == {
        "traits",
        "all_traits",
    }
    assert amended.record.sections["traits"].content == PRO.content
    assert change(certain=False).amended(amended.record, NOW, AGES).outcome == "repeated"


def test_somebody_who_was_unknown_is_so_no_more() -> None:
    """That nobody was there is forgotten in every section, whatever has changed."""
    record = Record({"traits": NOBODY, "events": NOBODY})
    for amendment in (change(), change(trait="age"), change(certain=False), Doubt()):
        amended = amendment.amended(record, NOW, AGES)
        assert (amended.outcome, amended.record.sections) == ("invalidated", {})


def test_a_doubt_ages_everything() -> None:
    """Nothing is lost: what cannot be read again is served as it was last known."""
    said = {"plan": 1.0}
    amended = Doubt().amended(Record(EVERYTHING, said), NOW, AGES)
    assert (amended.outcome, amended.record.said) == ("invalidated", said)
    assert {standing(one) for one in amended.record.sections.values()} == {"expired"}
    assert [one.content for one in amended.record.sections.values()] == [one.content for one in EVERYTHING.values()]
    assert Doubt().amended(amended.record, NOW, AGES).record == amended.record


def test_nothing_grows_younger() -> None:
    """What is older than that anyway stays as old as it is."""
    old: AnySection = Section({"plan": "pro"}, ("plan",), NOW - AGES.stale + 1)
    assert Doubt().amended(Record({"traits": old}), NOW, AGES).record.sections == {"traits": old}


def test_of_nobody_there_is_nothing_to_change() -> None:
    """Most of those whom Segment tells of are not here."""
    assert change().amended(Record(), NOW, AGES).outcome == "uncached"
    assert Doubt().amended(Record(), NOW, AGES).outcome == "uncached"


def test_the_newest_changes_are_remembered() -> None:
    """So many of a profile, and no more."""
    record = Record(EVERYTHING)
    for number in range(2 * MAX_SAID):
        record = change(at=NOW - 99 + number / 10, trait=f"t{number}").amended(record, NOW, AGES).record
    assert list(record.said) == [f"t{number}" for number in range(MAX_SAID, 2 * MAX_SAID)]
