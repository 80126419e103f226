"""What Segment's calls say: of whom, and what has changed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize.cache.amendment import Change
from personalize.model import ExternalId
from personalize.trust.ids import IdRules
from personalize.web import notices
from personalize.web.notices import NOTHING, Said
from tests.documents import ROOT

DATA = ROOT / "tests/data/segment_webhook"
BODIES = [
    json.loads(one["body"]) for one in json.loads((DATA / "signatures.json").read_text(encoding="utf-8"))["calls"]
]
MEMBERSHIP = json.loads((DATA / "membership.json").read_text(encoding="utf-8"))
WHEN = "2026-11-22T04:41:22.500Z"
AT = 1795322482.5
RULES = IdRules()

OTHERWISE = {
    "retl": "A warehouse's sync into an audience is nothing that Segment has computed: no trait of a profile changes.",
    "legacyJourneys: no key": "A journey's step without a key is no trait of a profile.",
    "legacyJourneys: no value": "Where the value is missing it is not guessed: the profile is read anew.",
    "legacyJourneys: a value": "There it is undefined since the rule for what Segment computes comes first, as here.",
}
"""Where we say something else than Segment's own code, and why."""


def told(**members: Any) -> bytes:
    """Return a call that tells of a computed trait, with other members in place of its own."""
    personas = {"computation_class": "trait", "computation_key": "plan"}
    usual = {"type": "identify", "userId": "ada", "traits": {"plan": "pro"}, "timestamp": WHEN}
    return json.dumps({**usual, "context": {"personas": personas}, **members}).encode()


def member_by(call: Any) -> object:
    """Return whether a call says that somebody is in an audience; `None` if it says neither."""
    change = notices.change_of({**call, "timestamp": WHEN}) if isinstance(call, dict) else None
    return change.value if change is not None and change.audience else None


def difference(vector: dict[str, Any]) -> str | None:
    """Return the name of the difference that a case of Segment's falls under."""
    if vector["rule"] == "retl":
        return "retl" if vector["member"] is not None else None
    if vector["rule"] != "legacyJourneys":
        return None
    personas = (vector["call"] or {}).get("context", {}).get("personas", {})
    if personas.get("computation_class") != "journey_step":
        return None
    value = {**vector["call"].get("traits", {}), **vector["call"].get("properties", {})}.get("my_step")
    unknown = "no value" if "computation_key" in personas else "no key"
    return f"legacyJourneys: {'a value' if isinstance(value, bool) else unknown}"


@pytest.mark.parametrize("vector", MEMBERSHIP, ids=lambda one: f"{one['rule']} {one['case']}")
def test_who_is_in_an_audience_is_told_as_segments_own_code_tells_it(vector: dict[str, Any]) -> None:
    """Or else the table of differences says why not."""
    why = OTHERWISE.get(difference(vector) or "")
    assert (member_by(vector["call"]) == vector["member"]) == (why is None)


def test_every_difference_is_one() -> None:
    """The table tells of nothing that there is not."""
    assert {difference(one) for one in MEMBERSHIP} - {None} == OTHERWISE.keys()


def test_the_calls_that_segment_signs_say_what_has_changed() -> None:
    """An audience entered and left, and a trait; by both ids that they carry."""
    single = [notices.read(json.dumps(one).encode(), RULES) for one in BODIES if isinstance(one, dict)]
    ids = (ExternalId("user_id", "u123"), ExternalId("anonymous_id", "anonId1234"))
    assert [one.change for one in single] == [
        Change("first_time_shopper", value=True, at=1704067200.0, audience=True),
        Change("first_time_shopper", value=False, at=1704067201.0, audience=True),
        Change("total_revenue_180_days", 450, 1704067202.0),
    ]
    assert {one.external_ids for one in single} == {ids}
    assert [one.kind for one in single] == ["audience", "audience", "trait"]
    [batch] = [one for one in BODIES if isinstance(one, list)]
    first = notices.read(json.dumps(batch[0]).encode(), RULES)
    assert first.change == Change("x", 1e21, 1704067203.0)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, Said("trait", (ExternalId("user_id", "ada"),), "plan", Change("plan", "pro", AT), AT)),
        (
            {"traits": {"plan": None}},
            Said("trait", (ExternalId("user_id", "ada"),), "plan", Change("plan", None, AT), AT),
        ),
        (
            {"userId": None, "anonymousId": "x"},
            Said("trait", (ExternalId("anonymous_id", "x"),), "plan", Change("plan", "pro", AT), AT),
        ),
        ({"traits": {}}, Said("trait", (ExternalId("user_id", "ada"),), "plan", None, AT)),
        ({"traits": []}, Said("trait", (ExternalId("user_id", "ada"),), "plan", None, AT)),
        ({"timestamp": None}, Said("trait", (ExternalId("user_id", "ada"),), "plan", None, None)),
        ({"timestamp": "2026-11-22T04:41:22"}, Said("trait", (ExternalId("user_id", "ada"),), "plan", None, None)),
        ({"userId": ""}, Said("trait", (), "plan", Change("plan", "pro", AT), AT)),
        ({"userId": "a\u0000b"}, Said("trait", (), "plan", Change("plan", "pro", AT), AT)),
        ({"userId": "a" * 256}, Said("trait", (), "plan", Change("plan", "pro", AT), AT)),
        (
            {"userId": 17},
            Said("trait", (ExternalId("user_id", "17"),), "plan", Change("plan", "pro", AT), AT),
        ),
        ({"type": "page"}, Said("other", (ExternalId("user_id", "ada"),), at=AT)),
        ({"type": {}}, Said("other", (ExternalId("user_id", "ada"),), at=AT)),
        ({"context": {}}, Said("other", (ExternalId("user_id", "ada"),), at=AT)),
        ({"context": []}, Said("other", (ExternalId("user_id", "ada"),), at=AT)),
        ({"context": {"personas": {"computation_class": []}}}, Said("trait", (ExternalId("user_id", "ada"),), at=AT)),
        ({"type": "delete"}, Said("delete", (ExternalId("user_id", "ada"),), at=AT)),
    ],
)
def test_a_call_says_of_whom_it_is_and_what_has_changed(members: dict[str, Any], said: Said) -> None:
    """What is missing or something else is not guessed."""
    assert notices.read(told(**members), RULES) == said


@pytest.mark.parametrize(
    ("class_", "value", "change"),
    [
        ("trait", True, Change("k", value=True, at=AT)),
        ("computed_trait", [1], Change("k", [1], AT)),
        ("audience", True, Change("k", value=True, at=AT, audience=True)),
        ("journey_step", False, Change("k", value=False, at=AT, audience=True)),
        ("audience", "true", None),
        ("something new", True, None),
        (None, True, None),
    ],
)
def test_a_value_is_believed_where_its_class_is_known(class_: object, value: object, change: Change | None) -> None:
    """Of anything else only that it has changed."""
    personas = {"computation_class": class_, "computation_key": "k"}
    call = told(type="track", properties={"k": value}, context={"personas": personas})
    said = notices.read(call, RULES)
    assert (said.change, said.trait) == (change, "k")


@pytest.mark.parametrize(
    "call", [b"", b"null", b"[]", b'"x"', b"{", b"\xff", b'{"a":' * 10_000, b"1e999", b'"\\ud800"']
)
def test_what_is_no_call_says_nothing(call: bytes) -> None:
    """Whatever it is."""
    assert notices.read(call, RULES) == NOTHING


def test_ids_are_written_as_they_are_looked_up() -> None:
    """In lower case where the deployment says so."""
    assert notices.read(told(userId="ADA"), IdRules(lowercase=True)).external_ids == (ExternalId("user_id", "ada"),)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = ["type", "userId", "anonymousId", "context", "personas", "computation_class", "traits", "timestamp"]


@given(st.dictionaries(st.sampled_from(MEMBERS), json_values), st.dictionaries(st.sampled_from(MEMBERS), json_values))
def test_no_call_breaks_the_reading(members: dict[str, Any], personas: dict[str, Any]) -> None:
    """Any value may stand anywhere."""
    assert notices.read(told(**members), RULES).kind in {"trait", "audience", "delete", "other"}
    assert notices.read(told(context={"personas": personas}), RULES).kind in {"trait", "audience", "other"}
