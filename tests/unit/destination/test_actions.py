"""The four actions: Segment's own vectors, and what holds of every payload."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize.destination.actions import ACTIONS
from personalize.destination.fields import fitted
from personalize.destination.mappings import REGIONS
from personalize.destination.subscriptions import INVALID, STATUSES, status_of
from personalize.destination.template import compile_mapping
from personalize.errors import RowRefused
from tests.unit.destination.vectors import read

RECORDED = read("segment_profiles")
NAMES = {"sendIdentify": "identify", "sendGroup": "group", "sendSubscription": "subscriptions", "sendTrack": "track"}
ENDPOINT = "A valid endpoint must be selected. Please check your Segment settings."
"""Of the older form: which region is meant, a run knows before it reads a row."""

CURRENT = RECORDED["current_tests"]
OLDER = [
    one
    for one in RECORDED["legacy_http_tests"]
    if "http" in one or one.get("error", {}).get("message") not in (None, ENDPOINT)
]


def called(case: dict[str, Any]) -> dict[str, Any]:
    payload = compile_mapping(case["mapping"]).render(case["event"])
    return ACTIONS[NAMES[case["action"]]].call(payload)


@pytest.mark.parametrize("case", CURRENT, ids=[f"{number}-{case['test']}" for number, case in enumerate(CURRENT)])
def test_calls_are_those_of_segments_destination(case: dict[str, Any]) -> None:
    """The same call for the same mapping and event, or the same refusal."""
    if "error" in case:
        with pytest.raises(RowRefused) as error:
            called(case)
        assert str(error.value) == case["error"]["message"]
    else:
        assert [called(case)] == case["expect"]["batch"]


@pytest.mark.parametrize("case", OLDER, ids=[f"{number}-{case['test']}" for number, case in enumerate(OLDER)])
def test_calls_are_the_older_ones_but_for_type_and_consent(case: dict[str, Any]) -> None:
    """What was posted to `/v1/{type}` is the same call without its type and its consent."""
    if "error" in case:
        with pytest.raises(RowRefused) as error:
            called(case)
        assert str(error.value) == case["error"]["message"]
        return
    [posted] = case["http"]
    body = called(case)
    assert posted["url"].endswith(f"/v1/{body.pop('type')}")
    context = body.pop("context")
    del context["consent"]
    assert {**body, **({"context": context} if context else {})} == posted["json"]


ELSEWHERE = [one for one in RECORDED["legacy_http_tests"] if one not in OLDER]


@pytest.mark.parametrize("case", ELSEWHERE, ids=[f"{number}-{case['test']}" for number, case in enumerate(ELSEWHERE)])
def test_what_the_older_form_did_not_post_is_a_call(case: dict[str, Any]) -> None:
    """A wrong endpoint is a mistake of the file of mappings, and there is no flag for Segment's own queue."""
    wrong = case["settings"]["endpoint"] not in REGIONS
    assert wrong == ("error" in case)
    assert called(case)["userId"] == case["event"]["userId"]


@pytest.mark.parametrize("word", RECORDED["status_map"])
def test_statuses_are_segments(word: str) -> None:
    """Whatever their case, and with blanks around them."""
    if word != "rule":
        assert {status_of(f" {said.upper()} ") for said in RECORDED["status_map"][word]} == {word}


@pytest.mark.parametrize("action", [name for name in RECORDED["fields"] if name != "common"])
def test_fields_are_segments(action: str) -> None:
    """Each with its kind, whether it has to be there, and whether null says something."""
    told = {**RECORDED["fields"]["common"], **RECORDED["fields"][action]["extra"]}
    own = ACTIONS[NAMES[action]]
    assert {field.name for field in own.fields} == {*told}
    for field in own.fields:
        assert field.kind in told[field.name]
        assert field.required is ("REQUIRED" in told[field.name])
        assert field.nullable is ("allowNull" in told[field.name])
    assert own.trigger == RECORDED["fields"][action]["defaultSubscription"]


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ({"user_id": "u"}, "`Profile Space` is required."),
        ({"engage_space": "k", "user_id": ""}, "Either `Anonymous ID` or `User ID` must be defined."),
        ({"engage_space": "k", "user_id": "u", "traits": [1]}, "`Traits` must be an object but it was an array."),
        ({"engage_space": "k", "user_id": "u", "traits": "{}"}, "`Traits` must be an object but it was a string."),
        ({"engage_space": "k", "user_id": {}}, "`User ID` must be a string but it was an object."),
        ({"engage_space": "k", "user_id": "u", "timestamp": "soon"}, "`Timestamp` must be a date, such as"),
        ({"engage_space": "k", "user_id": "u", "timestamp": "20261"}, "`Timestamp` must be a date, such as"),
        ({"engage_space": "k", "user_id": "u", "timestamp": "20260102"}, "`Timestamp` must be a date, such as"),
        ({"engage_space": "k", "user_id": "u", "timestamp": True}, "`Timestamp` must be a date, such as"),
        ({"engage_space": "k", "user_id": "u", "timestamp": 1e300}, "`Timestamp` must be a date, such as"),
        ({"engage_space": "k", "user_id": "u", "timestamp": []}, "`Timestamp` must be a date but it was an array."),
    ],
)
def test_what_cannot_be_sent_says_why(payload: dict[str, Any], says: str) -> None:
    """In a sentence that names the field as Segment's page does."""
    with pytest.raises(RowRefused) as error:
        ACTIONS["identify"].call(payload)
    assert str(error.value).startswith(says)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ({"email_subscription_status": "true", "phone": "1"}, "A valid `Email` must be defined"),
        ({"sms_subscription_status": "true", "email": "a@example.com"}, "A valid `Phone` must be defined"),
        ({"android_push_subscription_status": 1, "email": "a@example.com"}, "A valid `Android_Push_Token` must be"),
        (
            {"email": "e", "subscription_groups": {"a": True}, "phone": "1", "sms_subscription_status": "true"},
            "`Email_Subscription` must be defined if Subscription Groups are present.",
        ),
        (
            {
                **dict.fromkeys(("email", "phone", "android_push_token", "ios_push_token"), "x"),
                **{
                    f"{name}_subscription_status": "perhaps"
                    for name in ("email", "sms", "whatsapp", "android_push", "ios_push")
                },
            },
            "Invalid Subscription Status in",
        ),
    ],
)
def test_subscriptions_need_an_address_and_a_status(payload: dict[str, Any], says: str) -> None:
    """Each of its own channel."""
    with pytest.raises(RowRefused) as error:
        ACTIONS["subscriptions"].call({"engage_space": "k", **payload})
    assert str(error.value).startswith(says)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (7, "7"),
        (7.0, "7"),
        (7.5, "7.5"),
        (True, "true"),
        ("007", "007"),
    ],
)
def test_ids_are_text(value: Any, sent: str) -> None:
    """Numbers as people write them, and text as it is."""
    assert ACTIONS["identify"].call({"engage_space": "k", "user_id": value})["userId"] == sent


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("2026-01-02 03:04:05", "2026-01-02 03:04:05"),
        ("2026-01-02", "2026-01-02"),
        (1767323045, "2026-01-02T03:04:05.000Z"),
        (1767323045123, "2026-01-02T03:04:05.123Z"),
        ("1767323045", "2026-01-02T03:04:05.000Z"),
        (" 1767323045123 ", "2026-01-02T03:04:05.123Z"),
        ("1767323045.5", "2026-01-02T03:04:05.500Z"),
    ],
)
def test_times_are_dates(value: Any, sent: str) -> None:
    """Text stays as it is; numbers, which Segment's own destination passes on, are written as dates."""
    assert ACTIONS["identify"].call({"engage_space": "k", "user_id": "u", "timestamp": value})["timestamp"] == sent


def test_what_nobody_asked_for_is_dropped() -> None:
    """As is what is empty; null stays where it says something."""
    fields = ACTIONS["subscriptions"].fields
    payload: dict[str, Any] = {
        "engage_space": "k",
        "odd": 1,
        "email": "",
        "phone": None,
        "sms_subscription_status": None,
    }
    assert fitted(payload, fields) == {"engage_space": "k", "sms_subscription_status": None}


VALUES = (
    st.none()
    | st.booleans()
    | st.floats()
    | st.text(max_size=5)
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.none() | st.text(max_size=3), max_size=2)
)


@given(st.sampled_from(sorted(ACTIONS)), st.data())
def test_any_payload_is_a_call_or_a_refusal(name: str, data: st.DataObject) -> None:
    """No call is without an id that needs one, and no status is unknown to Segment."""
    action = ACTIONS[name]
    told = data.draw(st.dictionaries(st.sampled_from([field.name for field in action.fields]), VALUES, max_size=6))
    try:
        call = action.call({"engage_space": "k", **told})
    except RowRefused:
        return
    assert call["type"] in ("identify", "group", "track")
    if action.needs_id:
        assert call.get("userId") or call.get("anonymousId")
    context: Any = call["context"]
    for one in context.get("messaging_subscriptions", []):
        assert one["status"] in {*STATUSES.values(), INVALID}
