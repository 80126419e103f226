"""The Profile API's external_ids route."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Segment, StillClock


async def test_ids_come_in_the_order_in_which_they_appeared(segment: Segment, clock: StillClock) -> None:
    """The oldest id is first, each with when it appeared and by which message."""
    await segment.identify(anonymousId="a1", messageId="m1")
    clock.pass_by(hours=1)
    await segment.identify(userId="kim", anonymousId="a1", messageId="m2")
    known = (await segment.read("user_id:kim", "external_ids")).json()["data"]
    assert [(one["id"], one["created_at"], one["first_message_id"]) for one in known] == [
        ("a1", "2025-11-20T12:00:00.000Z", "m1"),
        ("kim", "2025-11-20T13:00:00.000Z", "m2"),
    ]


@pytest.mark.parametrize(("query", "sizes"), [("", [25, 25, 1]), ("limit=20", [20, 20, 11])])
async def test_following_the_cursors_gives_every_id_once(segment: Segment, query: str, sizes: list[int]) -> None:
    """A page has at most 25 ids, and the pages together hold every id once."""
    for number in range(50):
        await segment.identify(userId="kim", anonymousId=f"a{number:02} & ünï/+%")
    pages = await segment.pages("user_id:kim", "external_ids", query)
    assert [len(page["data"]) for page in pages] == sizes
    assert len({one["id"] for page in pages for one in page["data"]}) == 51
    assert pages[-1]["cursor"] == {"url": "", "has_more": False, "next": "", "limit": sizes[0]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("include=user_id", {"kim"}),
        ("include=user_id,crm_id", {"kim", "c1"}),
        ("include=user_id&include=crm_id", {"kim", "c1"}),
        ("include=unknown", set()),
        ("include=&verbose=true&colour=blue", {"kim", "c1", "a1"}),
    ],
)
async def test_include_names_types(segment: Segment, query: str, expected: set[str]) -> None:
    """Only ids of the included types are returned; unknown parameters are ignored."""
    context = {"externalIds": [{"id": "c1", "type": "crm_id", "collection": "users", "encoding": "none"}]}
    await segment.identify(userId="kim", anonymousId="a1", context=context)
    known = (await segment.read("user_id:kim", "external_ids", query)).json()["data"]
    assert {one["id"] for one in known} == expected


async def test_an_included_type_is_kept_from_page_to_page(segment: Segment) -> None:
    """A cursor's URL asks for the same types as the page that it came from."""
    for number in range(4):
        await segment.identify(userId="kim", anonymousId=f"a{number}")
    pages = await segment.pages("user_id:kim", "external_ids", "include=anonymous_id&limit=3")
    assert [[one["id"] for one in page["data"]] for page in pages] == [["a0", "a1", "a2"], ["a3"]]


async def test_an_encoding_is_the_one_that_was_sent(segment: Segment) -> None:
    """A custom id keeps its encoding."""
    context = {"externalIds": [{"id": "x", "type": "crm_id", "encoding": "sha256"}]}
    await segment.identify(userId="kim", context=context)
    (known,) = (await segment.read("crm_id:x", "external_ids", "include=crm_id")).json()["data"]
    assert known["encoding"] == "sha256"


@pytest.mark.parametrize("query", ["limit=26", "limit=0", "next=map_1"])
async def test_a_parameter_that_cannot_be_read_is_refused(segment: Segment, query: str) -> None:
    """A limit above 25 and an unknown cursor are 400s that name the parameter."""
    answer = await segment.read("user_id:ada", "external_ids", query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "validation_error")
    assert f"`{query.partition('=')[0]}`" in answer.json()["error"]["message"]
