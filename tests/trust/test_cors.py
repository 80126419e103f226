"""Which pages may read which answers of the service: exactly those of exact origins, whatever the answer is."""

from collections.abc import Mapping

import httpx
import pytest

from tests.doubles import ORIGIN
from tests.tokens import bearer, minted
from tests.trust.conftest import House

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORIGINS = [
    ORIGIN,
    "null",
    "https://evil.example",
    "http://blog.example.com",
    "https://blog.example.com:8443",
    "https://blog.example.com.evil.example",
    "https://evil-blog.example.com",
    "https://BLOG.example.com",
]
POSTS = "/api/recommended-posts?user_id=ada"
ADA = "/api/name?user_id=ada"
PREFLIGHT = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
ANSWERS: Mapping[str, tuple[int, str, str, Mapping[str, str]]] = {
    "an answer": (200, "GET", POSTS, {}),
    "a personal answer": (200, "GET", ADA, bearer(minted())),
    "a page": (200, "GET", "/api/personalize?recipes=name&user_id=ada", {}),
    "the same answer": (304, "GET", POSTS, {}),
    "a bad parameter": (400, "GET", "/api/recommended-posts", {}),
    "a bad token": (401, "GET", ADA, bearer("fake-key-of-nobody-at-all")),
    "no proof": (403, "GET", ADA, {}),
    "no recipe": (404, "GET", "/api/nothing?user_id=ada", {}),
    "no route": (404, "GET", "/nothing", {}),
    "another method": (405, "DELETE", POSTS, {}),
    "another media type": (415, "POST", "/api/personalize", {}),
    "a failure": (500, "GET", "/api/broken?user_id=ada", {}),
    "a preflight": (204, "OPTIONS", ADA, PREFLIGHT),
}


async def answered(house: House, kind: str, origin: str | None) -> httpx.Response:
    """Return an answer to a page of that origin."""
    _, method, url, headers = ANSWERS[kind]
    told = {**headers, **({} if origin is None else {"Origin": origin})}
    if kind == "the same answer":
        told["If-None-Match"] = (await house.client.get(url)).headers["ETag"]
    return await house.client.request(method, url, headers=told)


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("kind", ANSWERS)
async def test_only_exact_origins_read_answers(house: House, kind: str, origin: str) -> None:
    """All of them, errors too; to others the same is said, but for the permission to read it."""
    answer = await answered(house, kind, origin)
    may = origin == ORIGIN
    assert answer.status_code == (403 if kind == "a preflight" and not may else ANSWERS[kind][0])
    assert "Origin" in [name for one in answer.headers.get_list("Vary") for name in one.split(", ")]
    assert answer.headers.get("Access-Control-Allow-Origin") == (ORIGIN if may else None)
    assert answer.headers.get("Access-Control-Expose-Headers") == ("ETag, X-Request-Id, Retry-After" if may else None)
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer.headers.get("Access-Control-Max-Age") == ("7200" if may and kind == "a preflight" else None)


@pytest.mark.parametrize("kind", [kind for kind in ANSWERS if kind != "a preflight"])
async def test_who_is_no_page_is_told_that_answers_vary(house: House, kind: str) -> None:
    """A cache in front keeps them apart from those of pages."""
    answer = await answered(house, kind, None)
    assert answer.status_code == ANSWERS[kind][0]
    assert "Origin" in [name for one in answer.headers.get_list("Vary") for name in one.split(", ")]
    assert "Access-Control-Allow-Origin" not in answer.headers
