"""A trait that somebody has nested deep: a page is answered all the same, from the first time on."""

import httpx
import pytest

from personalize.profile_api.wire import MAX_DEPTH
from personalize.testing import RecordingProfileApi, service

PAGE = "/api/recommended-posts?user_id=ada"


def answering(levels: int) -> RecordingProfileApi:
    """Return a Profile API whose every answer is of a trait with so many lists within one another."""
    body = b'{"traits": {"favorite_blog_category": ' + b"[" * levels + b"]" * levels + b"}}"
    return RecordingProfileApi(failure=httpx.Response(200, content=body))


@pytest.mark.parametrize("levels", [60, 100, 500, *range(900, 1000, 12), 100_000])
async def test_no_depth_fails_a_page(levels: int) -> None:
    """Neither when it is read nor when it is remembered, however much of the stack either of them needs."""
    async with service(answering(levels)) as client:
        answers = [await client.get(PAGE) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]


async def test_what_is_too_deep_is_told_as_one_that_cannot_be_read() -> None:
    """The page gets the defaults, marked as such."""
    async with service(answering(MAX_DEPTH)) as client:
        answer = await client.get(PAGE)
    assert answer.json()["degraded"] is True
