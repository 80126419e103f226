"""Which external ids lead to one profile, and what becomes of profiles that are merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalize.sandbox.app import create_sandbox
from tests.unit.sandbox.conftest import StillClock, talking_to

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Segment


def custom(*pairs: tuple[str, str]) -> dict[str, Any]:
    """Return a context with custom external ids, as analytics.js sends it."""
    ids = [{"id": value, "type": id_type, "collection": "users", "encoding": "none"} for id_type, value in pairs]
    return {"externalIds": ids}


@pytest.mark.parametrize("route", ["identify", "track", "page", "screen", "group", "alias"])
async def test_a_custom_id_leads_to_the_profile(segment: Segment, route: str) -> None:
    """An id in a call's `context.externalIds` reads the profile that the call is about."""
    await segment.identify(userId="kim", traits={"plan": "pro"})
    members = {"event": "E", "groupId": "g1", "previousId": "a1", "context": custom(("phone_number", "+5555550123"))}
    assert (await segment.send(route, userId="kim", **members)).status_code == 200
    assert await segment.traits("phone_number:+5555550123") == {"plan": "pro"}


async def test_a_custom_id_joins_two_visits(segment: Segment) -> None:
    """Two browsers that both gave one custom id are one profile."""
    await segment.identify(anonymousId="a1", traits={"a": 1}, context=custom(("crm_id", "c1")))
    await segment.identify(anonymousId="a2", traits={"b": 2})
    await segment.identify(anonymousId="a2", context=custom(("crm_id", "c1")))
    assert await segment.external_ids("anonymous_id:a1") == ["anonymous_id:a1", "anonymous_id:a2", "crm_id:c1"]
    assert await segment.traits("anonymous_id:a1") == {"a": 1, "b": 2}


async def test_a_custom_id_says_more_than_a_browser(segment: Segment) -> None:
    """A call from one user's browser with another user's custom id is about the latter."""
    await segment.identify(userId="kim", anonymousId="a1")
    await segment.identify(userId="lee", context=custom(("crm_id", "c1")))
    await segment.track("E", anonymousId="a1", context=custom(("crm_id", "c1")))
    assert len(await segment.events("user_id:lee")) == 1
    assert await segment.events("user_id:kim") == []
    assert await segment.external_ids("user_id:lee") == ["crm_id:c1", "user_id:lee"]


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (
            {"type": "ios", "id": "d1", "advertisingId": "ad1", "token": "t1"},
            ["ios.id:d1", "ios.idfa:ad1", "ios.push_token:t1"],
        ),
        ({"type": "android", "advertisingId": "ad1", "id": None}, ["android.idfa:ad1"]),
        ({"type": "toaster", "id": "d1"}, []),
        ({"type": ["ios"], "id": 1}, []),
        ("ios", []),
    ],
)
async def test_a_phones_ids_are_external_ids(segment: Segment, device: object, expected: list[str]) -> None:
    """Device and advertising ids that mobile libraries put into the context lead to the profile."""
    await segment.identify(userId="kim", context={"device": device})
    assert await segment.external_ids("user_id:kim") == [*expected, "user_id:kim"]


@pytest.mark.parametrize(
    "external_ids",
    [
        "c1",
        ["c1"],
        [{"id": 1, "type": "crm_id"}],
        [{"id": "c1"}],
        [{"id": "c1", "type": ""}],
        [{"id": "c1", "type": "crm:id"}],
        [{"id": "c1", "type": "crm_id", "collection": "pets"}],
    ],
)
async def test_a_call_with_a_custom_id_that_cannot_be_read_is_dropped(segment: Segment, external_ids: object) -> None:
    """A custom id without a text for its id and type, or of an unknown collection; the reason quotes nothing of it."""
    await segment.identify(userId="kim", context={"externalIds": external_ids})
    [drop] = await segment.drops()
    assert drop["reason"].startswith("The parameter `context.externalIds` cannot be read: ")
    assert not any(value in drop["reason"] for value in ("c1", "crm", "pets"))


async def test_custom_ids_that_say_nothing_are_left_out(segment: Segment) -> None:
    """An empty id, a repeated one, and another user id beside the call's own change nothing."""
    context = custom(("crm_id", ""), ("crm_id", "c1"), ("crm_id", "c1"), ("user_id", "lee"))
    await segment.identify(userId="kim", context=context)
    assert await segment.external_ids("user_id:kim") == ["crm_id:c1", "user_id:kim"]
    assert (await segment.read("user_id:lee", "traits")).status_code == 404


async def test_segments_own_name_of_a_profile_is_an_id(segment: Segment) -> None:
    """A profile is found by `segment_id:use_…` and by the bare `use_…`, on every route."""
    await segment.identify(userId="kim", traits={"plan": "pro"})
    name = (await segment.read("user_id:kim", "metadata")).json()["segment_id"]
    for identifier in (name, f"segment_id:{name}"):
        assert await segment.traits(identifier) == {"plan": "pro"}
        for route in ("external_ids", "events", "metadata", "links"):
            assert (await segment.read(identifier, route)).status_code == 200


async def test_a_merged_profile_keeps_both_names(segment: Segment) -> None:
    """What a client remembers of a profile from before a merge still leads to it."""
    await segment.identify(anonymousId="a1", traits={"seen": True})
    before = (await segment.read("anonymous_id:a1", "metadata")).json()["segment_id"]
    await segment.identify(userId="kim")
    await segment.identify(userId="kim", anonymousId="a1")
    after = (await segment.read("anonymous_id:a1", "metadata")).json()["segment_id"]
    assert before != after
    assert await segment.traits(before) == await segment.traits(after) == {"seen": True}


async def test_a_new_user_takes_over_the_anonymous_profile(segment: Segment) -> None:
    """Somebody who signs up keeps the profile of before, with its name."""
    await segment.identify(anonymousId="a1", traits={"seen": True})
    before = (await segment.read("anonymous_id:a1", "metadata")).json()["segment_id"]
    await segment.identify(userId="kim", anonymousId="a1")
    assert (await segment.read("user_id:kim", "metadata")).json()["segment_id"] == before


async def test_an_alias_joins_an_anonymous_visitor(segment: Segment) -> None:
    """What a visitor did before signing up is the user's after an alias."""
    await segment.track("E", anonymousId="a1")
    await segment.alias(previousId="a1", userId="kim")
    assert len(await segment.events("user_id:kim")) == 1
    assert await segment.external_ids("user_id:kim") == ["anonymous_id:a1", "user_id:kim"]


async def test_an_alias_merges_two_users(segment: Segment, clock: StillClock) -> None:
    """A user id that is aliased leads to the other user's profile; of a trait of both, the last updated stays."""
    await segment.identify(userId="old", traits={"city": "Bonn", "plan": "free"})
    await segment.track("E", userId="old")
    clock.pass_by(hours=1)
    await segment.identify(userId="new", traits={"plan": "pro"})
    await segment.alias(previousId="old", userId="new")
    for external_id in ("user_id:old", "user_id:new"):
        assert await segment.traits(external_id) == {"city": "Bonn", "plan": "pro"}
        assert len(await segment.events(external_id)) == 1


async def test_an_alias_of_a_shared_browser_merges_nobody(segment: Segment) -> None:
    """An anonymous id that belongs to a user stays with that user when it is aliased to another."""
    await segment.identify(userId="kim", anonymousId="a1")
    await segment.alias(previousId="a1", userId="lee")
    assert await segment.external_ids("user_id:lee") == ["user_id:lee"]
    assert await segment.external_ids("user_id:kim") == ["anonymous_id:a1", "user_id:kim"]


async def test_an_alias_may_come_before_what_it_names(segment: Segment) -> None:
    """An alias of an id that nobody has used yet holds for later calls; one to the same id changes nothing."""
    await segment.alias(previousId="a1", userId="kim")
    await segment.alias(previousId="kim", userId="kim")
    await segment.track("E", anonymousId="a1")
    assert len(await segment.events("user_id:kim")) == 1


@pytest.mark.parametrize("call", [{"userId": "kim"}, {"previousId": "a1"}, {"previousId": "a1", "anonymousId": "a2"}])
async def test_an_alias_needs_both_its_ids(segment: Segment, call: dict[str, str]) -> None:
    """An alias without a user id or without a previous id is dropped."""
    await segment.alias(**call)
    [drop] = await segment.drops()
    assert (drop["route"], drop["call"]) == ("alias", call)
    assert drop["reason"].endswith("is required.")


async def test_a_group_call_needs_a_group_id(segment: Segment) -> None:
    """A group call without a group id is dropped."""
    await segment.group(userId="kim")
    [drop] = await segment.drops()
    assert drop["reason"] == "The parameter `groupId` is required."


async def test_a_batch_may_merge_what_it_wrote(segment: Segment) -> None:
    """Computed traits follow when a later call of a batch merges the profile of an earlier one."""
    read = {"type": "track", "event": "Post Viewed", "properties": {"category": "Travel"}}
    calls = [
        {"type": "identify", "userId": "kim"},
        {**read, "anonymousId": "a1"},
        {"type": "identify", "userId": "kim", "anonymousId": "a1"},
    ]
    assert (await segment.send("batch", batch=calls)).json() == {"success": True}
    assert await segment.traits("user_id:kim") == {"favorite_blog_category": "Travel"}


async def test_a_removed_trait_stays_removed(segment: Segment) -> None:
    """A value from before its removal, that arrives late or with a merge, does not come back."""
    early, late = "2025-11-19T08:00:00Z", "2025-11-19T09:00:00Z"
    await segment.identify(anonymousId="a1", traits={"city": "Bonn"}, timestamp=early)
    await segment.identify(userId="kim", traits={"city": None, "plan": None}, timestamp=late)
    await segment.identify(userId="kim", traits={"plan": "pro"}, timestamp=early)
    await segment.identify(userId="kim", anonymousId="a1")
    assert await segment.traits("user_id:kim") == {}


USERS = st.sampled_from(["u1", "u2", "u3"])
BROWSERS = st.sampled_from(["a1", "a2", "a3"])
CUSTOM = st.lists(st.tuples(st.just("crm_id"), st.sampled_from(["c1", "c2"])), max_size=1).map(lambda p: custom(*p))
IDS = st.fixed_dictionaries({"userId": USERS}, optional={"anonymousId": BROWSERS}) | st.fixed_dictionaries(
    {"anonymousId": BROWSERS}, optional={"userId": USERS}
)
CALLS = st.one_of(
    st.builds(
        lambda ids, key, value, context: {"type": "identify", **ids, "traits": {key: value}, "context": context},
        IDS,
        st.sampled_from(["a", "b"]),
        st.none() | st.integers(0, 9),
        CUSTOM,
    ),
    st.builds(lambda ids, context: {"type": "track", **ids, "event": "E", "context": context}, IDS, CUSTOM),
    st.builds(lambda user, old: {"type": "alias", "userId": user, "previousId": old}, USERS, USERS | BROWSERS),
)


async def people(segment: Segment) -> set[tuple[str, ...]]:
    """Return the external ids of each profile there is, after asserting that all of them read the same."""
    letters = {"user_id": "u", "anonymous_id": "au", "crm_id": "c"}  # an alias of a user that nobody knows is anonymous
    ids = [f"{id_type}:{letter}{n}" for id_type in letters for letter in letters[id_type] for n in (1, 2, 3)]
    known = [one for one in ids if (await segment.read(one, "metadata")).status_code == 200]
    found = {tuple(await segment.external_ids(one)) for one in known}
    assert sorted(one for siblings in found for one in siblings) == sorted(known)
    for first, *others in found:
        for other in others:
            for route in ("traits", "events", "metadata", "links"):
                assert (await segment.read(other, route)).json() == (await segment.read(first, route)).json()
    return found


@settings(max_examples=40, deadline=None)
@given(history=st.lists(CALLS, max_size=15))
async def test_any_id_of_a_person_reads_the_same(history: list[dict[str, Any]]) -> None:
    """After any history, all ids of a profile read the same; no event is lost; only an alias merges two users."""
    clock = StillClock()
    async with talking_to(create_sandbox(clock=clock, rate_limit=0)) as segment:
        for call in history:
            clock.pass_by(seconds=1)
            assert (await segment.send("batch", batch=[call])).status_code == 200
        found = await people(segment)
        events = [event["message_id"] for siblings in found for event in await segment.events(siblings[0])]
        assert len(set(events)) == len(events) == sum(call["type"] == "track" for call in history)
        users = max((sum(one.startswith("user_id:") for one in siblings) for siblings in found), default=0)
        assert users <= 1 or any(call["type"] == "alias" for call in history)
