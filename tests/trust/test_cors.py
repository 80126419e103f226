"""Which pages may read which answers of the service: exactly those of exact origins, whatever the answer is."""

from collections.abc import Iterator, Mapping

import httpx
import pytest

from tests.doubles import ORIGIN
from tests.tokens import bearer, minted
from tests.trust.bounded import serving
from tests.trust.conftest import House
from tests.trust.wire import exchange

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


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """Return the URL of a service that waits for half a second."""
    with serving({"receive": 0.5}) as (url, _):
        yield url


POST = b"POST /api/personalize HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
REFUSED: Mapping[str, tuple[int, bytes]] = {
    "no length": (400, b"POST / HTTP/1.1\r\nHost: a\r\n%sContent-Length: many\r\n\r\n"),
    "two hosts": (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n%s\r\n"),
    "an unfinished head": (408, b"GET / HTTP/1.1\r\nHost: a\r\n%sX-More: "),
    "an unfinished body": (408, POST + b"%sContent-Length: 5\r\n\r\n{"),
    "a large body": (413, b"POST / HTTP/1.1\r\nHost: a\r\n%sContent-Length: 9999999\r\n\r\n"),
    "a long URL": (414, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n%s\r\n"),
    "large headers": (431, b"GET / HTTP/1.1\r\nHost: a\r\n%sX-Large: " + b"a" * 17_000 + b"\r\n\r\n"),
}
"""What the connection refuses before the application hears of it; further headers come in place of `%s`."""


@pytest.mark.parametrize("origin", [*ORIGINS, None])
@pytest.mark.parametrize("kind", REFUSED)
async def test_only_exact_origins_read_refusals(service: str, kind: str, origin: str | None) -> None:
    """As far as the head was heard: a page learns why, instead of that something failed."""
    status, request = REFUSED[kind]
    answer = exchange(service, request % (b"" if origin is None else f"Origin: {origin}\r\n".encode()))
    may = origin == ORIGIN
    assert (answer.status, answer.headers["vary"]) == (status, "Origin")
    assert answer.headers.get("access-control-allow-origin") == (ORIGIN if may else None)
    assert answer.headers.get("access-control-expose-headers") == ("ETag, X-Request-Id, Retry-After" if may else None)
