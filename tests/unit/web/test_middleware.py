"""The middleware, each around an application of a few lines."""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from personalize.trust.origins import Origins
from personalize.web.middleware import Cors, LastLine, RequestIds
from personalize.web.routes import refused
from tests.doubles import ORIGIN

CANARY = "canary@example.com"
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


async def fine(request: Request) -> Response:
    return PlainTextResponse(request.state.request_id)


async def bad(_: Request) -> Response:
    raise HTTPException(400)


async def broken(_: Request) -> Response:
    raise LookupError(CANARY)


async def breaks_off(_: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"half"
        raise LookupError(CANARY)

    return StreamingResponse(body())


APP = Starlette(
    routes=[
        Route("/fine", fine),
        Route("/bad", bad),
        Route("/broken", broken),
        Route("/breaks-off", breaks_off),
    ],
    middleware=[Middleware(RequestIds), Middleware(Cors, origins=Origins([ORIGIN])), Middleware(LastLine)],
    exception_handlers={HTTPException: refused},
)


@asynccontextmanager
async def asking(app: ASGIApp, *, raises: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=raises)
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as client:
        yield client


async def answer(path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> httpx.Response:
    async with asking(APP) as client:
        return await client.request(method, path, headers=headers)


PREFLIGHT = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
KINDS = {
    "200": ("GET", "/fine", {}, 200),
    "400": ("GET", "/bad", {}, 400),
    "404": ("GET", "/nowhere", {}, 404),
    "405": ("POST", "/fine", {}, 405),
    "500": ("GET", "/broken", {}, 500),
    "preflight": ("OPTIONS", "/fine", PREFLIGHT, 204),
    "preflight of nothing": ("OPTIONS", "/nowhere", PREFLIGHT, 204),
}
STRANGERS = [
    "https://evil.example",
    "null",
    "http://blog.example.com",
    "https://blog.example.com:8443",
    "https://blog.example.com.evil.example",
    "https://BLOG.example.com",
    "*",
    "",
]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_allowed_page_reads_every_answer(kind: str) -> None:
    """Errors too: a page that could not read them would see only that something failed."""
    method, path, headers, status = KINDS[kind]
    answered = await answer(path, {**headers, "Origin": ORIGIN}, method)
    assert answered.status_code == status
    assert answered.headers["Vary"] == "Origin"
    assert answered.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert answered.headers["Access-Control-Expose-Headers"] == "ETag, X-Request-Id, Retry-After"
    assert "Access-Control-Allow-Credentials" not in answered.headers
    assert "X-Request-Id" in answered.headers


@pytest.mark.parametrize("origin", STRANGERS)
@pytest.mark.parametrize("kind", KINDS)
async def test_no_other_page_reads_an_answer(kind: str, origin: str) -> None:
    """Only what varies is said, so that a cache in front keeps the answers of two pages apart."""
    method, path, headers, status = KINDS[kind]
    answered = await answer(path, {**headers, "Origin": origin}, method)
    assert answered.status_code == (403 if "preflight" in kind else status)
    assert answered.headers["Vary"] == "Origin"
    assert not [name for name in answered.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "preflight" not in kind])
async def test_who_is_no_page_gets_the_same(kind: str) -> None:
    """A server sends no origin; its answer still says that others may differ."""
    method, path, headers, status = KINDS[kind]
    answered = await answer(path, headers, method)
    assert answered.status_code == status
    assert answered.headers["Vary"] == "Origin"
    assert not [name for name in answered.headers if name.startswith("access-control-")]


async def test_a_preflight_is_kept_for_two_hours() -> None:
    """A page with a token asks once, for as long as browsers remember."""
    answered = await answer("/fine", {**PREFLIGHT, "Origin": ORIGIN}, "OPTIONS")
    assert answered.content == b""
    assert answered.headers["Access-Control-Max-Age"] == "7200"
    assert "Authorization" in answered.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"GET", "POST"} <= {*answered.headers["Access-Control-Allow-Methods"].split(", ")}


async def test_a_refused_preflight_says_why() -> None:
    """Whoever looks into the browser's network panel finds the setting's name."""
    answered = await answer("/fine", {**PREFLIGHT, "Origin": "https://evil.example"}, "OPTIONS")
    assert answered.headers["Content-Type"] == "application/problem+json"
    assert answered.json()["code"] == "origin_not_allowed"
    assert "PERSONALIZE_ALLOWED_ORIGINS" in answered.json()["detail"]


@pytest.mark.parametrize("headers", [{}, {"Origin": ORIGIN}, PREFLIGHT])
async def test_what_only_looks_like_a_preflight_is_routed(headers: dict[str, str]) -> None:
    """An OPTIONS without an origin or without a method to allow is an ordinary request."""
    assert (await answer("/fine", headers, "OPTIONS")).status_code == 405


async def test_a_list_of_variations_is_added_to() -> None:
    """An application that varies by something itself keeps saying so."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(headers={"Vary": "Accept"})(scope, receive, send)

    async with asking(Cors(app, Origins([]))) as client:
        answered = await client.get("/")
    assert answered.headers.get_list("Vary") == ["Accept", "Origin"]


@pytest.mark.parametrize("theirs", ["a", "A-1", "0" * 64, "5e0f0c5a-8d3c-4c57-9f0e-0d2f5b6a7c11"])
async def test_a_harmless_request_id_is_kept(theirs: str) -> None:
    """A back end finds its own id in our logs and answers."""
    answered = await answer("/fine", {"X-Request-Id": theirs})
    assert answered.headers.get_list("X-Request-Id") == [theirs]
    assert answered.text == theirs


@pytest.mark.parametrize(
    "theirs", ["", " ", "0" * 65, "a b", "a_b", "a.b", "a/b", "<a>", "a\nb", "a\r\nSet-Cookie: a=b", "a\n", "ä", "a\0"]
)
async def test_any_other_request_id_is_replaced(theirs: str) -> None:
    """What could split an answer or a log line is never repeated."""
    async with asking(APP) as client:
        answered = await client.get("/fine", headers=[(b"X-Request-Id", theirs.encode())])
    [ours] = answered.headers.get_list("X-Request-Id")
    assert UUID4.fullmatch(ours)
    assert answered.text == ours


async def test_every_request_has_an_id_of_its_own() -> None:
    """Two answers are told apart in the logs."""
    one, other = await answer("/fine"), await answer("/fine")
    assert one.headers["X-Request-Id"] != other.headers["X-Request-Id"]


async def test_a_defect_is_answered_as_a_problem() -> None:
    """The caller learns the id under which the logs have it, and nothing of what went wrong."""
    with capture_logs() as events:
        answered = await answer("/broken?user_id=u1")
    assert answered.headers["Content-Type"] == "application/problem+json"
    assert answered.headers["Cache-Control"] == "no-store"
    assert answered.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "Something went wrong here; the request id finds it in the logs.",
        "code": "internal_error",
        "request_id": answered.headers["X-Request-Id"],
    }
    [event] = events
    assert (event["event"], event["error"]) == ("answer_failed", "LookupError")
    assert event["request_id"] == answered.headers["X-Request-Id"]
    assert "broken" in event["where"]
    assert CANARY not in f"{events} {answered.text}"


async def test_an_answer_that_has_begun_cannot_become_a_problem() -> None:
    """The server learns of it, and cuts the connection rather than to pretend that half an answer is one."""
    with capture_logs() as events:
        async with asking(APP, raises=True) as client:
            with pytest.raises(LookupError):
                await client.get("/breaks-off")
    assert events == []


@pytest.mark.parametrize("middleware", [RequestIds, LastLine, lambda app: Cors(app, Origins([]))])
async def test_what_is_not_http_passes(middleware: Callable[[ASGIApp], ASGIApp]) -> None:
    """The lifespan of the application behind begins, and its failure is the server's to tell."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope == {"type": "lifespan"}
        raise LookupError(CANARY)

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError

    with pytest.raises(LookupError):
        await middleware(app)({"type": "lifespan"}, receive, send)
