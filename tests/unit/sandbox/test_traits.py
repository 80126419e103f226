"""The Profile API's traits route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Segment, StillClock


async def test_a_page_has_traits_and_a_cursor_that_ends(segment: Segment) -> None:
    """A profile whose traits fit in one page answers with exactly them and the cursor of a last page."""
    await segment.identify(userId="kim", traits={"b": 2, "a": [1, {"x": None}]})
    answer = await segment.read("user_id:kim", "traits")
    assert answer.json() == {
        "traits": {"a": [1, {"x": None}], "b": 2},
        "cursor": {"url": "", "has_more": False, "next": "", "limit": 10},
    }


@pytest.mark.parametrize("count", [9, 10, 11, 20, 25])
async def test_following_the_cursors_urls_gives_every_trait_once(segment: Segment, count: int) -> None:
    """A cursor's URL works as it is, and the pages together hold every trait once, in order."""
    sent = {f"trait {number:02} & ünï/+%": number for number in range(count)}
    await segment.identify(userId="kim", traits=sent)
    answer = (await segment.read("user_id:kim", "traits")).json()
    pages = [answer]
    while answer["cursor"]["has_more"]:
        url = answer["cursor"]["url"]
        assert url.startswith("http://sandbox.test:8100/v1/spaces/sandbox/")
        answer = (await segment.http.get(url, auth=("sandbox-token", ""))).json()
        pages.append(answer)
    assert [pair for page in pages for pair in page["traits"].items()] == sorted(sent.items())
    assert all(len(page["traits"]) == 10 for page in pages[:-1])


async def test_next_is_the_key_of_the_following_trait(segment: Segment) -> None:
    """The cursor's `next` names the trait that the next page starts with."""
    await segment.identify(userId="kim", traits={"a": 1, "b": 2, "c": 3})
    cursor = (await segment.read("user_id:kim", "traits", "limit=1")).json()["cursor"]
    assert (cursor["next"], cursor["limit"], cursor["has_more"]) == ("b", 1, True)
    assert await segment.traits("user_id:kim", "limit=1&next=b") == {"b": 2}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("include=a,c", ["a", "c"]),
        ("include=a&include=c", ["a", "c"]),
        ("include=b%20%26%20d,missing", ["b & d"]),
        ("include=", ["a", "b & d", "c"]),
        ("colour=blue", ["a", "b & d", "c"]),
        ("class=audience", []),
    ],
)
async def test_include_names_the_traits_to_answer(segment: Segment, query: str, expected: list[str]) -> None:
    """Names may be joined by commas or repeated; unknown names and unknown parameters are ignored."""
    await segment.identify(userId="kim", traits={"a": 1, "b & d": 2, "c": 3})
    assert list(await segment.traits("user_id:kim", query)) == expected


async def test_a_cursor_keeps_what_was_asked(segment: Segment) -> None:
    """The cursor's URL carries the same include and class as the page that it came from."""
    answer = (await segment.read("user_id:ada", "traits", "class=audience&limit=1")).json()
    assert answer["traits"] == {"3_product_views_in_last_60_days": True}
    following = await segment.http.get(answer["cursor"]["url"], auth=("sandbox-token", ""))
    assert following.json()["traits"] == {"all_users_order_completed": True}


async def test_a_class_selects_audiences_or_computed_traits(segment: Segment) -> None:
    """`class` leaves only audiences, or only computed traits."""
    assert await segment.traits("user_id:ada", "class=audience") == {
        "3_product_views_in_last_60_days": True,
        "all_users_order_completed": True,
        "big_spender": True,
        "lapsed_reader": False,
    }
    computed = await segment.traits("user_id:ada", "class=computed_trait")
    assert computed == {"favorite_blog_category": "Data & Analytics", "orders_total": 246.5}


async def test_verbose_tells_where_a_value_is_from_and_since_when(segment: Segment) -> None:
    """With `verbose=true` a trait is its value, its source and the time of its last update."""
    await segment.identify(userId="kim", traits={"plan": "pro"}, timestamp="2025-11-19T08:00:00+02:00")
    assert await segment.traits("user_id:kim", "verbose=true") == {
        "plan": {"value": "pro", "source_id": "sandbox", "updated_at": "2025-11-19T06:00:00.000Z"}
    }


@pytest.mark.parametrize("limit", ["0", "-1", "201", "ten", "1.5", "", "9" * 5000, "\N{ARABIC-INDIC DIGIT ONE}"])
async def test_a_limit_out_of_bounds_is_refused(segment: Segment, limit: str) -> None:
    """A limit has to be a number from 1 to 200."""
    answer = await segment.read("user_id:ada", "traits", f"limit={limit}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "validation_error")


async def test_an_unknown_class_is_refused(segment: Segment) -> None:
    """A class that is neither an audience nor a computed trait is a 400 that names the parameter."""
    answer = await segment.read("user_id:ada", "traits", "class=hobby")
    assert answer.status_code == 400
    assert answer.json() == {
        "error": {
            "code": "validation_error",
            "message": "The parameter `class` has to be one of audience, computed_trait.",
        }
    }


async def test_null_removes_a_trait_and_an_empty_text_does_not(segment: Segment) -> None:
    """A trait that is identified as null is gone; one that is empty stays."""
    await segment.identify(userId="kim", traits={"a": 1, "b": 2})
    await segment.identify(userId="kim", traits={"a": None, "b": "", "never": None})
    assert await segment.traits("user_id:kim") == {"b": ""}


@pytest.mark.parametrize("late", [{"plan": "old"}, {"plan": None}])
async def test_the_last_updated_value_wins(segment: Segment, late: dict[str, Any]) -> None:
    """A call that happened earlier and arrives later changes nothing that was updated since."""
    await segment.identify(userId="kim", traits={"plan": "new"}, timestamp="2025-11-19T08:00:00Z")
    await segment.identify(userId="kim", traits=late, timestamp="2025-11-18T08:00:00Z")
    assert await segment.traits("user_id:kim") == {"plan": "new"}


async def test_the_favorite_category_follows_what_is_read(segment: Segment, clock: StillClock) -> None:
    """The computed trait is the category read most; of two read as often, the one read last."""
    for category in ("Cooking", "Travel", "Travel"):
        clock.pass_by(minutes=1)
        await segment.track("Post Viewed", {"category": category}, anonymousId="a1")
    assert await segment.traits("anonymous_id:a1") == {"favorite_blog_category": "Travel"}
    clock.pass_by(minutes=1)
    await segment.track("Post Viewed", {"category": "Cooking"}, anonymousId="a1")
    assert await segment.traits("anonymous_id:a1") == {"favorite_blog_category": "Cooking"}


@pytest.mark.parametrize("properties", [None, {}, {"category": None}, {"category": ""}, {"category": 7}])
async def test_a_post_without_a_category_makes_no_favorite(segment: Segment, properties: dict[str, Any] | None) -> None:
    """Only a category that is a text and not empty counts."""
    await segment.track("Post Viewed", properties, anonymousId="a1")
    assert await segment.traits("anonymous_id:a1") == {}


async def test_other_events_make_no_favorite(segment: Segment) -> None:
    """A product's category is not a blog category."""
    await segment.track("Product Viewed", {"category": "Desk"}, anonymousId="a1")
    assert await segment.traits("anonymous_id:a1") == {}
