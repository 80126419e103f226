"""The Profile API's metadata route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Segment, StillClock


async def metadata(segment: Segment, external_id: str, collection: str = "users") -> dict[str, Any]:
    """Return a profile's metadata."""
    return dict((await segment.read(external_id, "metadata", collection=collection)).json()["metadata"])


@pytest.mark.parametrize("route", ["identify", "track", "page", "screen", "group", "alias"])
async def test_every_call_keeps_a_profile_alive(segment: Segment, clock: StillClock, route: str) -> None:
    """A call of any type is the last message of the profile that it is about."""
    await segment.identify(userId="kim", messageId="m1")
    clock.pass_by(days=1)
    members = {"event": "E", "groupId": "g1", "previousId": "a1", "name": "Home"}
    assert (await segment.send(route, userId="kim", messageId="m2", **members)).status_code == 200
    found = await metadata(segment, "user_id:kim")
    assert (found["first_message_id"], found["last_message_id"]) == ("m1", "m2")
    assert (found["created_at"], found["updated_at"]) == ("2025-11-20T12:00:00.000Z", "2025-11-21T12:00:00.000Z")


async def test_a_repeated_message_is_no_sign_of_life(segment: Segment, clock: StillClock) -> None:
    """A message id that was seen before leaves the metadata as it is."""
    await segment.identify(userId="kim", messageId="m1")
    clock.pass_by(days=1)
    await segment.identify(userId="kim", messageId="m1")
    assert (await metadata(segment, "user_id:kim"))["updated_at"] == "2025-11-20T12:00:00.000Z"


@pytest.mark.parametrize("anonymous_first", [True, False])
async def test_a_merged_profile_is_as_old_as_the_older(
    segment: Segment, clock: StillClock, *, anonymous_first: bool
) -> None:
    """After a merge, the first message is the older profile's and the last one is the one that merged them."""
    calls = [{"anonymousId": "a1", "messageId": "m1"}, {"userId": "kim", "messageId": "m2"}]
    for call in calls if anonymous_first else reversed(calls):
        await segment.identify(**call)
        clock.pass_by(days=1)
    await segment.identify(userId="kim", anonymousId="a1", messageId="m3")
    found = await metadata(segment, "anonymous_id:a1")
    assert found["created_at"] == "2025-11-20T12:00:00.000Z"
    assert found["first_message_id"] == ("m1" if anonymous_first else "m2")
    assert (found["updated_at"], found["last_message_id"]) == ("2025-11-22T12:00:00.000Z", "m3")


async def test_accounts_have_metadata_of_their_own(segment: Segment, clock: StillClock) -> None:
    """A group call is the last message of its account, too."""
    await segment.group(userId="kim", groupId="g1", messageId="m1")
    clock.pass_by(days=1)
    await segment.group(userId="lee", groupId="g1", messageId="m2")
    found = await metadata(segment, "group_id:g1", "accounts")
    assert (found["first_message_id"], found["last_message_id"]) == ("m1", "m2")
