"""The service as its callers see it: answers, problems, and what each costs upstream."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from personalize.testing import API_KEY, RecordingProfileApi, service
from tests.doubles import ORIGIN, TOKEN, UUID, event

POSTS = "/api/recommended-posts"
PRODUCTS = "/api/last-viewed-not-purchased"
TEA = {
    "title": "Tea",
    "url": "https://blog.example.com/tea",
    "published_at": "2026-01-02T03:04:05Z",
    "categories": ["Tea"],
    "excerpt": "About tea.",
    "image": None,
}
COFFEE = {
    **TEA,
    "title": "Coffee",
    "url": "https://blog.example.com/coffee",
    "published_at": "2026-01-03T03:04:05Z",
    "categories": ["Coffee"],
    "excerpt": "About coffee.",
}
OWN_RECIPES = '''
"""Recipes of this test."""

from typing import Annotated

from personalize import Trait, recipe


@recipe("greeting", access="public")
def greeting(first_name: Annotated[str, Trait("first_name")] = "you") -> str:
    """Greet the visitor."""
    return f"Hello, {first_name}!"


@recipe("for-servers", access="server")
def for_servers(first_name: Annotated[str, Trait("first_name")] = "nobody") -> str:
    """Name the visitor."""
    return first_name


@recipe("of-an-account", access="public", collection="accounts")
def of_an_account(plan: Annotated[str, Trait("plan")] = "none") -> str:
    """Name the account's plan."""
    return plan


@recipe("without-needs", access="public")
def without_needs() -> str:
    """Say the same to everybody."""
    return "the same"


@recipe("broken", access="public")
def broken() -> str:
    """Fail."""
    raise LookupError("canary")
'''
AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}


def visitors() -> RecordingProfileApi:
    ada = {
        "traits": {"favorite_blog_category": "tea", "first_name": "Ada"},
        "events": [event("Product Viewed", product_id="p1")],
    }
    return RecordingProfileApi(
        {
            "user_id:ada": ada,
            f"anonymous_id:{UUID}": ada,
            "anonymous_id:a1": ada,
            "user_id:empty": {"traits": {}},
            "group_id:acme": {"traits": {"plan": "gold"}},
        }
    )


@pytest.fixture
def api() -> RecordingProfileApi:
    return visitors()


@pytest.fixture
def feed(tmp_path: Path) -> str:
    file = tmp_path / "posts.json"
    file.write_text(json.dumps([TEA, COFFEE]))
    return str(file)


@pytest.fixture
async def client(api: RecordingProfileApi, feed: str) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a service with a feed, a page and a server's key."""
    async with service(
        api, POSTS_URL=feed, ALLOWED_ORIGINS=ORIGIN, API_KEYS=f"web:{API_KEY}", HASH_KEY="0123456789abcdef"
    ) as one:
        yield one


@asynccontextmanager
async def with_own_recipes(api: RecordingProfileApi, folder: Path, **named: str) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a service with the shipped recipes and this test's own."""
    file = folder / "own.py"
    file.write_text(OWN_RECIPES)
    async with service(api, RECIPES=f"shipped,{file}", API_KEYS=f"web:{API_KEY}", **named) as one:
        yield one


async def test_an_answer_in_full(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """The envelope and a post are as the contract shows them, in that order, after one call for exactly the plan."""
    answered = await client.get(POSTS, params={"user_id": "ada", "limit": "1"})
    assert answered.status_code == 200
    assert answered.json() == {"recipe": "recommended-posts", "personalized": True, "degraded": False, "data": [TEA]}
    assert [*answered.json()] == ["recipe", "personalized", "degraded", "data"]
    assert [*answered.json()["data"][0]] == [*TEA]
    [call] = api.requests
    assert str(call.url) == (
        "https://profiles.segment.com/v1/spaces/space1/collections/users/profiles/user_id%3Aada/traits"
        "?include=favorite_blog_category&limit=1"
    )


async def test_products_in_full(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """A product has all its members, unknown ones as null; its events come in one call."""
    answered = await client.get(PRODUCTS, params={"anonymous_id": UUID})
    [product] = answered.json()["data"]
    assert product == {
        "product_id": "p1",
        "name": None,
        "url": None,
        "image": None,
        "price": None,
        "category": None,
        "last_viewed_at": "2026-11-20T10:00:00Z",
    }
    [call] = api.requests
    assert call.url.query == b"include=Order%20Completed,Product%20Viewed&limit=100&sort=desc"


async def test_a_second_request_is_answered_from_memory(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """Whatever parameters it has, the profile is known."""
    first = await client.get(POSTS, params={"user_id": "ada", "limit": "1"})
    second = await client.get(POSTS, params={"limit": "1", "user_id": "ada"})
    await client.get(POSTS, params={"user_id": "ada", "limit": "2"})
    assert first.json() == second.json()
    assert api.calls == ["traits user_id:ada"]


async def test_many_at_once_are_one_call(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """A page that opens in ten tabs costs what one costs."""
    answers = await asyncio.gather(*(client.get(POSTS, params={"user_id": "ada"}) for _ in range(10)))
    assert {answered.status_code for answered in answers} == {200}
    assert api.calls == ["traits user_id:ada"]


async def test_a_second_recipe_costs_no_call(api: RecordingProfileApi, tmp_path: Path) -> None:
    """A section is read for all loaded recipes at once."""
    async with with_own_recipes(api, tmp_path) as client:
        await client.get(POSTS, params={"user_id": "ada"})
        greeting = await client.get("/api/greeting", params={"user_id": "ada"})
    assert greeting.json()["data"] == "Hello, Ada!"
    [call] = api.requests
    assert call.url.query == b"include=favorite_blog_category,first_name&limit=2"


async def test_a_recipe_without_needs_asks_nobody(api: RecordingProfileApi, tmp_path: Path) -> None:
    """What says the same to everybody is neither personal nor degraded, and may be kept."""
    async with with_own_recipes(api, tmp_path) as client:
        answered = await client.get("/api/without-needs", params={"user_id": "ada"})
    assert answered.json() == {"recipe": "without-needs", "personalized": False, "degraded": False, "data": "the same"}
    assert answered.headers["Cache-Control"] == "private, max-age=60"
    assert api.calls == []


async def test_an_account_is_asked_in_its_collection(api: RecordingProfileApi, tmp_path: Path) -> None:
    """A group id names a profile of `accounts`; a user's id beside it is not looked up."""
    async with with_own_recipes(api, tmp_path) as client:
        answered = await client.get("/api/of-an-account", params={"user_id": "ada", "group_id": "acme"})
    assert answered.json()["data"] == "gold"
    [call] = api.requests
    assert call.url.path.startswith("/v1/spaces/space1/collections/accounts/profiles/group_id:acme/")


async def test_an_unknown_visitor_gets_the_default(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """Being new is no failure; it is remembered too."""
    for _ in range(2):
        answered = await client.get(POSTS, params={"user_id": "nobody"})
        assert answered.status_code == 200
        assert (answered.json()["personalized"], answered.json()["degraded"]) == (False, False)
        assert [post["title"] for post in answered.json()["data"]] == ["Coffee", "Tea"]
    assert api.calls == ["traits user_id:nobody"]


async def test_a_profile_without_the_trait_is_not_personal(client: httpx.AsyncClient) -> None:
    """Known, but nothing of it was used."""
    answered = await client.get(POSTS, params={"user_id": "empty"})
    assert (answered.json()["personalized"], answered.json()["degraded"]) == (False, False)


@pytest.mark.parametrize(
    ("ids", "personalized", "calls"),
    [
        ({"anonymous_id": "a1", "user_id": "ada"}, True, ["user_id:ada"]),
        ({"anonymous_id": "a1", "user_id": "nobody"}, True, ["user_id:nobody", "anonymous_id:a1"]),
        ({"anonymous_id": "a1", "user_id": ""}, True, ["anonymous_id:a1"]),
        ({"anonymous_id": "nobody", "user_id": "nobody"}, False, ["user_id:nobody", "anonymous_id:nobody"]),
    ],
)
async def test_a_user_is_asked_before_an_anonymous_visitor(
    ids: dict[str, str], *, personalized: bool, calls: list[str], client: httpx.AsyncClient, api: RecordingProfileApi
) -> None:
    """The second id counts only where the first names no profile."""
    answered = await client.get(POSTS, params=ids)
    assert answered.json()["personalized"] is personalized
    assert api.calls == [f"traits {one}" for one in calls]


def html() -> httpx.Response:
    return httpx.Response(200, html="<h1>Maintenance</h1>")


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(503, json={"error": {"code": "internal_error", "message": TOKEN}}),
        httpx.Response(500, text=TOKEN),
        httpx.Response(400, json={"error": {"code": "validation_error"}}),
        httpx.Response(302, headers={"Location": "https://evil.example/"}),
        httpx.Response(204),
        html(),
        httpx.Response(200, json={"traits": None}),
        httpx.Response(200, json={}),
        httpx.Response(200, json=[]),
        httpx.Response(200, content=b'{"traits": {"favorite_blog_category": "te'),
        httpx.ConnectError(TOKEN),
        httpx.ConnectTimeout(TOKEN),
        httpx.ReadError(TOKEN),
        httpx.RemoteProtocolError(TOKEN),
    ],
    ids=repr,
)
async def test_a_failing_upstream_costs_the_page_nothing(
    failure: httpx.Response | Exception, client: httpx.AsyncClient, api: RecordingProfileApi
) -> None:
    """The default is answered, marked, and kept by nobody; the next visitor may be luckier."""
    api.failure = failure
    answered = await client.get(POSTS, params={"user_id": "ada"})
    assert answered.status_code == 200
    assert (answered.json()["personalized"], answered.json()["degraded"]) == (False, True)
    assert [post["title"] for post in answered.json()["data"]] == ["Coffee", "Tea"]
    assert answered.headers["Cache-Control"] == "private, max-age=0"
    assert TOKEN not in f"{answered.text} {answered.headers}"

    api.failure = None
    assert (await client.get(POSTS, params={"user_id": "ada"})).json()["personalized"] is True


@pytest.mark.parametrize(
    "refusal", [httpx.Response(401, json={"error": {"code": "authentication_error"}}), httpx.Response(403)], ids=repr
)
async def test_a_refused_token_costs_the_page_nothing(
    refusal: httpx.Response, client: httpx.AsyncClient, api: RecordingProfileApi
) -> None:
    """The default is answered, and Segment is not asked with the same token by everybody who comes next."""
    api.failure = refusal
    for visitor in ("ada", "bob"):
        answered = await client.get(POSTS, params={"user_id": visitor})
        assert answered.status_code == 200
        assert (answered.json()["personalized"], answered.json()["degraded"]) == (False, True)
        assert TOKEN not in f"{answered.text} {answered.headers}"
    assert api.calls == ["traits user_id:ada"]


async def test_after_a_failure_the_second_id_is_not_asked(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """Nobody knows whether the first names a profile; only that one is tried, and tried again as it failed fast."""
    api.failure = httpx.Response(503)
    answered = await client.get(POSTS, params={"user_id": "ada", "anonymous_id": "a1"})
    assert answered.json()["degraded"] is True
    assert api.calls == ["traits user_id:ada"] * 2


LONG = "x" * 300
BAD: list[tuple[str, str]] = [
    ("", "user_id"),
    ("user_id=&anonymous_id=", "user_id"),
    ("user_id=ada&limits=3", "limits"),
    ("user_id=ada&recipes=a", "recipes"),
    ("user_id=ada&user_id=bob", "user_id"),
    ("user_id=ada&limit=1&limit=1", "limit"),
    ("user_id=ada&limit=0", "limit"),
    ("user_id=ada&limit=21", "limit"),
    ("user_id=ada&limit=abc", "limit"),
    ("user_id=ada&limit=", "limit"),
    (f"user_id={LONG}", "user_id"),
    (f"user_id=ada&anonymous_id={LONG}", "anonymous_id"),
    ("user_id=a%0Ab", "user_id"),
    ("user_id=a%0D%0AX-Evil:%201", "user_id"),
    ("user_id=a%00b", "user_id"),
    ("user_id=ada%FF", "query"),
    ("user_id=ada&" + "&".join(f"p{number}=1" for number in range(100)), "query"),
]
MEMBERS = ["type", "title", "status", "detail", "code", "request_id"]


def problem_of(answered: httpx.Response) -> dict[str, Any]:
    """Return the body of an answer that must be a problem (RFC 9457), with these members and no others."""
    assert answered.headers["Content-Type"] == "application/problem+json"
    assert answered.headers["Cache-Control"] == "no-store"
    assert answered.headers["X-Content-Type-Options"] == "nosniff"
    body: dict[str, Any] = answered.json()
    assert [*body] == MEMBERS
    assert body["type"] == "about:blank"
    assert body["status"] == answered.status_code
    assert body["request_id"] == answered.headers["X-Request-Id"]
    return body


@pytest.mark.parametrize(("query", "field"), BAD)
async def test_bad_input_names_its_field(
    query: str, field: str, client: httpx.AsyncClient, api: RecordingProfileApi
) -> None:
    """A 400 says which field and why; nothing was asked about anybody."""
    answered = await client.get(f"{POSTS}?{query}")
    assert answered.status_code == 400
    problem = problem_of(answered)
    assert (problem["title"], problem["code"]) == ("Bad Request", "invalid_parameter")
    assert problem["detail"].startswith(f"`{field}`")
    assert api.calls == []


async def test_an_unknown_parameter_is_told_with_the_nearest(client: httpx.AsyncClient) -> None:
    """A typing mistake must not silently mean the default."""
    problem = problem_of(await client.get(f"{POSTS}?user_id=ada&limt=3"))
    assert problem["detail"] == "`limt` is not a parameter of this recipe. Did you mean `limit`?"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/no-such-recipe?user_id=ada", 404, "unknown_recipe"),
        ("GET", "/api/recommended-posts.css?user_id=ada", 404, "unknown_recipe"),
        ("GET", "/api/Recommended-Posts?user_id=ada", 404, "unknown_recipe"),
        ("GET", "/api/recommended-posts%20?user_id=ada", 404, "unknown_recipe"),
        ("GET", "/api/__class__", 404, "unknown_recipe"),
        ("GET", "/api/recommended-posts/?user_id=ada", 404, "not_found"),
        ("GET", "/api/recommended-posts/x.css?user_id=ada", 404, "not_found"),
        ("GET", "//api/recommended-posts?user_id=ada", 404, "not_found"),
        ("GET", "/API/recommended-posts?user_id=ada", 404, "not_found"),
        ("GET", "/api/", 404, "not_found"),
        ("GET", "/api", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("GET", "/livez/", 404, "not_found"),
        ("POST", "/api/recommended-posts?user_id=ada", 405, "method_not_allowed"),
        ("DELETE", "/api/recommended-posts?user_id=ada", 405, "method_not_allowed"),
        ("POST", "/api/no-such-recipe", 405, "method_not_allowed"),
        ("POST", "/livez", 405, "method_not_allowed"),
    ],
)
async def test_what_is_not_there_is_a_problem(
    method: str, path: str, status: int, code: str, client: httpx.AsyncClient, api: RecordingProfileApi
) -> None:
    """Paths are exact, so that no cache takes an answer for a style sheet; nothing was asked about anybody."""
    answered = await client.request(method, path)
    assert answered.status_code == status
    assert problem_of(answered)["code"] == code
    assert {*answered.headers.get("Allow", "").split(", ")} == ({"GET", "HEAD"} if status == 405 else {""})
    assert api.calls == []


@pytest.mark.parametrize("ids", [{"user_id": "ada"}, {"user_id": "ada", "anonymous_id": UUID}, {"anonymous_id": "a1"}])
async def test_who_proves_nothing_gets_nothing_of_a_person(
    ids: dict[str, str], client: httpx.AsyncClient, api: RecordingProfileApi
) -> None:
    """A guessable id is refused with what to do instead, before anything was read about it."""
    answered = await client.get(PRODUCTS, params=ids)
    assert answered.status_code == 403
    problem = problem_of(answered)
    assert problem["code"] == "proof_required"
    assert "`Authorization: Bearer <key>`" in problem["detail"]
    assert api.calls == []


async def test_who_proves_nothing_learns_nothing(client: httpx.AsyncClient) -> None:
    """Neither what is cached nor who exists shows in a refusal."""
    await client.get(PRODUCTS, params={"user_id": "ada"}, headers=AUTHORIZED)
    known = await client.get(PRODUCTS, params={"user_id": "ada"}, headers={"X-Request-Id": "r1"})
    unknown = await client.get(PRODUCTS, params={"user_id": "nobody"}, headers={"X-Request-Id": "r1"})
    assert known.status_code == 403
    assert (known.content, known.headers) == (unknown.content, unknown.headers)


async def test_a_server_may_ask_about_everybody(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """An API key is proof enough."""
    answered = await client.get(PRODUCTS, params={"user_id": "ada"}, headers=AUTHORIZED)
    assert answered.json()["personalized"] is True
    assert api.calls == ["events user_id:ada"]


async def test_a_recipe_for_servers(api: RecordingProfileApi, tmp_path: Path) -> None:
    """Not even a random visitor may ask it, and is told how one asks (RFC 9110, 11.6.1); a server may."""
    async with with_own_recipes(api, tmp_path) as client:
        refused = await client.get("/api/for-servers", params={"anonymous_id": UUID})
        assert (refused.status_code, refused.headers["WWW-Authenticate"], api.calls) == (401, "Bearer", [])
        answered = await client.get("/api/for-servers", params={"anonymous_id": UUID}, headers=AUTHORIZED)
    assert answered.json()["data"] == "Ada"


@pytest.mark.parametrize("path", [POSTS, PRODUCTS])
@pytest.mark.parametrize("header", ["Bearer fake-key-of-nobody-at-all", f"Basic {API_KEY}", API_KEY, "Bearer", ""])
async def test_a_broken_key_is_refused(
    path: str, header: str, client: httpx.AsyncClient, api: RecordingProfileApi
) -> None:
    """Also where none is needed: it must not pass for an anonymous visitor. Nothing was asked about anybody."""
    answered = await client.get(path, params={"anonymous_id": UUID}, headers={"Authorization": header})
    assert answered.status_code == 401
    assert answered.headers["WWW-Authenticate"] == "Bearer"
    assert problem_of(answered)["code"] == "bad_credentials"
    assert API_KEY not in answered.text
    assert api.calls == []


async def test_a_recipe_that_fails_is_a_problem(api: RecordingProfileApi, tmp_path: Path) -> None:
    """Where there is no default left, the caller learns that it failed, and not how."""
    async with with_own_recipes(api, tmp_path) as client:
        answered = await client.get("/api/broken", params={"user_id": "ada"})
    assert answered.status_code == 500
    assert problem_of(answered)["code"] == "recipe_failed"
    assert "canary" not in answered.text


@pytest.mark.parametrize(
    ("browser_ttl", "cache_ttl", "greatest"),
    [("60s", "300s", 60), ("60s", "10s", 10), ("0s", "300s", 0), ("60s", "0s", 0)],
)
async def test_how_long_a_browser_keeps_an_answer(
    browser_ttl: str, cache_ttl: str, greatest: int, api: RecordingProfileApi
) -> None:
    """As long as the setting allows, and never longer than the profile stays fresh."""
    async with service(api, BROWSER_TTL=browser_ttl, CACHE_TTL=cache_ttl) as client:
        answered = await client.get(POSTS, params={"user_id": "ada"})
    directive, _, seconds = answered.headers["Cache-Control"].rpartition("=")
    assert directive == "private, max-age"
    assert greatest - 2 < int(seconds) <= greatest


async def test_an_unknown_visitor_is_kept_for_as_long_as_unknown(api: RecordingProfileApi) -> None:
    """Who signs up is greeted by name half a minute later."""
    async with service(api, NEGATIVE_TTL="7s") as client:
        answered = await client.get(POSTS, params={"user_id": "nobody"})
    assert answered.headers["Cache-Control"] in {"private, max-age=6", "private, max-age=7"}


@pytest.mark.parametrize(
    ("origin", "allowed"), [(ORIGIN, True), ("https://evil.example", False), ("null", False), (None, False)]
)
@pytest.mark.parametrize(
    "path", [f"{POSTS}?user_id=ada", POSTS, f"{PRODUCTS}?user_id=ada", "/api/no-such-recipe", "/nowhere", "/livez"]
)
async def test_which_pages_read_answers(
    path: str, origin: str | None, *, allowed: bool, client: httpx.AsyncClient
) -> None:
    """Exact origins read all answers, errors too; others none; and all answers say that they vary by origin."""
    answered = await client.get(path, headers={} if origin is None else {"Origin": origin})
    assert "Origin" in answered.headers["Vary"].split(", ")
    assert answered.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
    assert "Access-Control-Allow-Credentials" not in answered.headers


async def test_an_answer_is_not_sniffed(client: httpx.AsyncClient) -> None:
    """A browser takes JSON for JSON."""
    answered = await client.get(POSTS, params={"user_id": "ada"})
    assert answered.headers["Content-Type"] == "application/json"
    assert answered.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_request_id_goes_through(client: httpx.AsyncClient) -> None:
    """The caller's own is in the answer, and in a problem's body."""
    for path in (f"{POSTS}?user_id=ada", POSTS):
        answered = await client.get(path, headers={"X-Request-Id": "from-a-page-1"})
        assert answered.headers.get_list("X-Request-Id") == ["from-a-page-1"]


async def test_head_is_answered_without_a_body(client: httpx.AsyncClient) -> None:
    """HTTP has HEAD wherever it has GET (RFC 9110, 9.3.2)."""
    answered = await client.head(POSTS, params={"user_id": "ada"})
    assert answered.status_code == 200
    assert int(answered.headers["Content-Length"]) > 0
