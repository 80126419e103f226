"""What every answer says besides itself: of every route there is, whatever becomes of the request."""

from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from personalize.app.application import create_app
from personalize.testing import API_KEY, RecordingProfileApi, client_of
from tests.doubles import ORIGIN, settings_of

OWN_RECIPES = '''
"""A recipe of this test."""

from personalize import recipe


@recipe("broken", access="public")
def broken() -> str:
    """Fail."""
    raise LookupError("canary")
'''
RECIPES = ("recommended-posts", "customer-context", "account-overview", "broken")
ASKED = {
    "/api/personalize": "recipes=recommended-posts,broken&user_id=ada",
    "/api/{recipe}": "user_id=ada",
    "/api/account-overview": "group_id=acme",
    "/console/answers/{recipe}": "user_id=ada",
    "/console/answers/account-overview": "group_id=acme",
}
"""What a route needs to be asked; the others need nothing."""

UNREAD = "/api/profiles"
"""What can be erased, and never be shown."""

UNKNOWN = "x"
"""What stands for a part of a path of which this test knows nothing."""

CALLERS: Mapping[str, Mapping[str, str]] = {
    "nobody": {},
    "a page": {"Origin": ORIGIN},
    "another page": {"Origin": "https://evil.example"},
    "a page of markup": {"Origin": ORIGIN, "Accept": "text/html"},
    "a server": {"Authorization": f"Bearer {API_KEY}"},
    "a thief": {"Authorization": "Bearer fake-key-of-nobody-at-all", "Origin": ORIGIN},
}


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    """Return a service with all shipped recipes and one that fails."""
    file = tmp_path / "own.py"
    file.write_text(OWN_RECIPES)
    api = RecordingProfileApi({"user_id:ada": {"traits": {"favorite_blog_category": "tea"}}})
    settings = settings_of(RECIPES=f"shipped,{file}", ALLOWED_ORIGINS=ORIGIN, API_KEYS=f"web:{API_KEY}")
    return create_app(settings, transport=api.transport)


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as one:
        yield one


def paths(app: Starlette) -> Iterable[tuple[str, set[str]]]:
    """Yield a path of each route there is, with what it needs to be asked, and the methods that it takes."""
    for route in app.routes:
        assert isinstance(route, Route), f"{route} is no route that this test knows to ask"
        names = RECIPES if "{recipe}" in route.path else [""]
        for name in names:
            path = route.path.format_map(dict.fromkeys(route.param_convertors, name or UNKNOWN))
            yield f"{path}?{ASKED.get(path, ASKED.get(route.path, ''))}".rstrip("?"), set(route.methods or ())


def requests(app: Starlette) -> Iterable[tuple[str, str]]:
    """Yield what can be done to every path, right and wrong: each method, a wrong query, more path, no path."""
    for path, methods in paths(app):
        yield from ((method, path) for method in sorted(methods | {"DELETE", "OPTIONS"}))
        bare = path.partition("?")[0]
        yield from (
            ("GET", bare),
            ("GET", f"{bare}?unknown=1&unknown=2"),
            ("GET", f"{bare}/x.css"),
            ("GET", f"{bare}/"),
        )
    yield from (("GET", "/"), ("GET", "/api/nobody-wrote-it?user_id=ada"), ("GET", "/api//x"), ("TRACE", "/livez"))


def check(answer: httpx.Response, caller: str) -> None:
    """Say what is missing in an answer, of whichever kind it is."""
    headers = answer.headers
    vary = {one.strip() for one in headers["Vary"].split(",")}
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] in {"same-origin", "cross-origin"}
    assert "Origin" in vary
    assert len(headers.get_list("X-Request-Id")) == len(headers.get_list("Cache-Control")) == 1
    assert not {"server", "x-powered-by", "set-cookie", "access-control-allow-credentials"} & headers.keys()
    allowed = ORIGIN if CALLERS[caller].get("Origin") == ORIGIN else None
    assert headers.get("Access-Control-Allow-Origin") == allowed
    assert ("Retry-After" in headers.get("Access-Control-Expose-Headers", "")) == bool(allowed)
    if answer.status_code >= 400:
        assert headers["Cache-Control"] == "no-store"
        assert "ETag" not in headers
        assert headers["Content-Type"] == "application/problem+json"
    elif answer.url.path.startswith("/api/"):
        kept = headers["Cache-Control"].partition(",")[0]
        assert (kept, headers.get("CDN-Cache-Control")) in {("private", "no-store"), ("no-store", None)}
        assert "recommended" not in answer.url.path or "Accept" in vary


@pytest.mark.parametrize("caller", CALLERS)
async def test_every_answer_of_every_route_is_protected(app: Starlette, client: httpx.AsyncClient, caller: str) -> None:
    """Whatever its status: no sniffing, no reading across origins, no keeping of what is not for others."""
    seen = set()
    for method, path in requests(app):
        answer = await client.request(method, path, headers=CALLERS[caller])
        seen.add(answer.status_code)
        check(answer, caller)
        if (validator := answer.headers.get("ETag")) and method == "GET":
            again = await client.get(path, headers={**CALLERS[caller], "If-None-Match": validator})
            assert (again.status_code, again.content) == (304, b"")
            check(again, caller)
            for name in ("CDN-Cache-Control", "ETag", "Vary"):  # RFC 9110, 15.4.5
                assert again.headers.get(name) == answer.headers.get(name)
        assert answer.status_code != 500 or "/api/broken" in path
    assert {200, 404, 405} <= seen


async def test_every_route_answers_somebody(app: Starlette, client: httpx.AsyncClient) -> None:
    """So that this test asks rightly: each path has an answer for a server, but for the recipe that fails."""
    for path, methods in paths(app):
        if "GET" in methods and UNKNOWN not in path.split("/") and path != UNREAD:
            answer = await client.get(path, headers=CALLERS["a server"])
            assert answer.status_code == (500 if "/api/broken" in path else 200), f"{path}: {answer.text}"


@pytest.mark.parametrize("status", [200, 304, 400, 404, 405, 500])
async def test_a_page_reads_answers_of_every_status(client: httpx.AsyncClient, status: int) -> None:
    """Its own origin's, and no other page does."""
    known = await client.get("/api/recommended-posts?user_id=ada")
    asked: dict[int, tuple[str, str, dict[str, str]]] = {
        200: ("GET", "/api/recommended-posts?user_id=ada", {}),
        304: ("GET", "/api/recommended-posts?user_id=ada", {"If-None-Match": known.headers["ETag"]}),
        400: ("GET", "/api/recommended-posts", {}),
        404: ("GET", "/nowhere", {}),
        405: ("DELETE", "/livez", {}),
        500: ("GET", "/api/broken?user_id=ada", {}),
    }
    method, path, headers = asked[status]
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://evil.example", None), ("null", None), ("", None)):
        answer = await client.request(method, path, headers={**headers, "Origin": origin})
        assert answer.status_code == status
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(("origin", "status"), [(ORIGIN, 204), ("https://evil.example", 403)])
async def test_a_preflight_is_protected_too(client: httpx.AsyncClient, origin: str, status: int) -> None:
    """It is kept by browsers alone, by a header of its own."""
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    answer = await client.options("/api/recommended-posts", headers=asked)
    assert answer.status_code == status
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "name", ["X-Request-Id", "Origin", "If-None-Match", "Accept", "X-Forwarded-For", "Authorization"]
)
async def test_no_header_of_a_request_splits_an_answer(client: httpx.AsyncClient, name: str) -> None:
    """Of all that a caller sends, only a harmless request id and an allowed origin are said again."""
    for value in ("a\r\nSet-Cookie: b=c", "a\nb", "\0", "\x7f", "ä", "a" * 4000, "*", ", ,", '"'):
        answer = await client.get("/api/recommended-posts?user_id=ada", headers=[(name.encode(), value.encode())])
        assert answer.status_code in {200, 304, 401}
        assert "Set-Cookie" not in answer.headers
        assert not [one for one in answer.headers.values() if len(value) > 3 and value in one]
        for raw_name, raw_value in answer.headers.raw:
            assert not {*b"\r\n"} & {*raw_name, *raw_value}
