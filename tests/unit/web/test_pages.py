"""A whole page in one request: what each recipe answers, what one costs the others, and what all cost upstream."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from personalize.errors import BadParameter
from personalize.testing import API_KEY, RecordingProfileApi, service
from personalize.trust.ids import IdRules
from personalize.web import page
from tests.doubles import ORIGIN, event

PAGE = "/api/personalize"
OWN_RECIPES = '''
"""Recipes of this test."""

import asyncio
import time
from typing import Annotated

from personalize import Event, Events, Param, Trait, recipe


@recipe("greeting", access="public")
def greeting(name: Annotated[str, Trait("name")] = "you", words: Annotated[int, Param(ge=1, le=3)] = 1) -> str:
    """Greet the visitor."""
    return "Hello, " * words + name


@recipe("views", access="public")
def views(seen: Annotated[tuple[Event, ...], Events("Product Viewed")] = ()) -> int:
    """Count what was seen."""
    return len(seen)


@recipe("for-servers", access="server")
def for_servers(name: Annotated[str, Trait("name")] = "nobody") -> str:
    """Name the visitor."""
    return name


@recipe("needs-word", access="public")
def needs_word(word: Annotated[str, Param(min_length=2)]) -> str:
    """Say it again."""
    return word


@recipe("of-an-account", access="public", collection="accounts")
def of_an_account(plan: Annotated[str, Trait("plan")] = "none") -> str:
    """Name the account's plan."""
    return plan


@recipe("broken", access="public")
def broken() -> str:
    """Fail."""
    raise LookupError("canary")


@recipe("wrong", access="public")
def wrong() -> int:
    """Return something else."""
    return "canary"


@recipe("quitter", access="public")
def quitter() -> str:
    """Cancel whoever asks."""
    raise asyncio.CancelledError


@recipe("slow", access="public")
def slow() -> str:
    """Take longer than any page waits."""
    time.sleep(3)
    return "late"
'''
AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}
ADA = {"traits": {"name": "Ada"}, "events": [event("Product Viewed", product_id="p1")]}


@pytest.fixture
def api() -> RecordingProfileApi:
    return RecordingProfileApi({"user_id:ada": ADA, "group_id:acme": {"traits": {"plan": "gold"}}})


@pytest.fixture
async def client(api: RecordingProfileApi, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    recipes = tmp_path / "own.py"
    recipes.write_text(OWN_RECIPES)
    settings = {"RECIPES": f"shipped,{recipes}", "API_KEYS": f"web:{API_KEY}", "ALLOWED_ORIGINS": ORIGIN}
    async with service(api, **settings) as client:
        yield client


def ok(data: object, *, personalized: bool = True, degraded: bool = False) -> dict[str, object]:
    return {"status": "ok", "personalized": personalized, "degraded": degraded, "data": data}


async def got(client: httpx.AsyncClient, recipes: str, **query: str) -> dict[str, Any]:
    answered = await client.get(PAGE, params={"recipes": recipes, "user_id": "ada", **query})
    assert answered.status_code == 200, answered.text
    results: dict[str, Any] = answered.json()["results"]
    return results


async def posted(client: httpx.AsyncClient, *recipes: Mapping[str, object], **members: object) -> httpx.Response:
    return await client.post(PAGE, json={"user_id": "ada", "recipes": [*recipes], **members})


async def test_a_page_is_answered_in_the_order_asked(client: httpx.AsyncClient) -> None:
    """Each recipe under its name, or the id that it was given."""
    results = await got(client, "views,hero:greeting,greeting", **{"hero.words": "2"})
    assert list(results) == ["views", "hero", "greeting"]
    assert results == {"views": ok(1), "hero": ok("Hello, Hello, Ada"), "greeting": ok("Hello, Ada")}


async def test_a_body_says_the_same_as_a_query(client: httpx.AsyncClient) -> None:
    """To the last byte."""
    asked = await client.get(PAGE, params={"recipes": "views,hero:greeting", "hero.words": "2", "user_id": "ada"})
    entries = {"name": "views"}, {"name": "greeting", "id": "hero", "params": {"words": 2}}
    answered = await posted(client, *entries, timeout_ms=300)
    assert answered.content == asked.content
    assert answered.headers["ETag"] == asked.headers["ETag"]


async def test_a_page_costs_one_call_a_section(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """However many recipes read it; the next page costs none."""
    for _ in range(2):
        await got(client, "greeting,a:greeting,views,b:views")
    assert sorted(api.calls) == ["events user_id:ada", "traits user_id:ada"]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_our_own_servers_are_told_where_a_page_came_from(client: httpx.AsyncClient, method: str) -> None:
    """Each section once, however many recipes read it; nobody else is told."""
    query, body = "greeting,views", [{"name": "greeting"}, {"name": "views"}]
    asked: dict[str, Any] = {"params": {"user_id": "ada", "recipes": query}}
    if method == "POST":
        asked = {"json": {"user_id": "ada", "recipes": body}}
    told = await client.request(method, PAGE, headers=AUTHORIZED, **asked)
    members = [member.partition(";")[0] for member in told.headers["Cache-Status"].split(", ")]
    assert sorted(members) == ["personalize-events", "personalize-traits"]
    timings = [member.partition(";")[0] for member in told.headers["Server-Timing"].split(", ")]
    assert sorted(timings) == ["events", "recipe", "traits"]
    untold = await client.request(method, PAGE, **asked)
    assert not {"cache-status", "server-timing"} & {*untold.headers}


async def test_one_broken_recipe_costs_only_itself(client: httpx.AsyncClient) -> None:
    """One that raises, one that quits, one that returns something else, one that is slow, one that there is not."""
    results = await got(client, "broken,quitter,wrong,slow,no-such,greeting", timeout_ms="1000")
    assert results.pop("greeting") == ok("Hello, Ada")
    assert {name: (one["status"], one["data"]) for name, one in results.items()} == dict.fromkeys(
        ("broken", "quitter", "wrong", "slow", "no-such"), ("error", None)
    )
    assert {name: one["error"]["code"] for name, one in results.items()} == {
        "broken": "recipe_failed",
        "quitter": "recipe_failed",
        "wrong": "recipe_failed",
        "slow": "recipe_failed",
        "no-such": "unknown_recipe",
    }
    assert "canary" not in json.dumps(results)


async def test_a_section_that_hangs_costs_only_those_that_read_it(api: RecordingProfileApi, tmp_path: Path) -> None:
    """The others have theirs by the deadline."""
    hanging, handle = asyncio.Event(), api.handle

    async def slow_events(request: httpx.Request) -> httpx.Response:
        if "/events" in request.url.path:
            await hanging.wait()
        return await handle(request)

    api.handle = slow_events  # type: ignore[method-assign]
    recipes = tmp_path / "own.py"
    recipes.write_text(OWN_RECIPES)
    async with service(api, RECIPES=str(recipes)) as client:
        results = await got(client, "greeting,views", timeout_ms="1000")
    assert results == {"greeting": ok("Hello, Ada"), "views": ok(0, personalized=False, degraded=True)}


async def test_a_recipe_that_is_not_for_this_caller_is_an_error_for_it_alone(client: httpx.AsyncClient) -> None:
    """With a key it is answered; with a bad one nothing is."""
    results = await got(client, "for-servers,last-viewed-not-purchased,greeting")
    assert results["greeting"] == ok("Hello, Ada")
    assert [results[name]["error"]["status"] for name in ("for-servers", "last-viewed-not-purchased")] == [401, 403]
    query = {"recipes": "for-servers,greeting", "user_id": "ada"}
    trusted = await client.get(PAGE, params=query, headers=AUTHORIZED)
    assert trusted.json()["results"]["for-servers"] == ok("Ada")
    denied = await client.get(PAGE, params=query, headers={"Authorization": "Bearer not-a-key-of-ours"})
    assert (denied.status_code, denied.json()["code"]) == (401, "bad_credentials")


@pytest.mark.parametrize(
    ("name", "field"),
    [("for-servers", "for-servers.colour"), ("last-viewed-not-purchased", "last-viewed-not-purchased.limit")],
)
async def test_what_is_asked_wrongly_is_told_before_who_may_ask(
    client: httpx.AsyncClient, name: str, field: str
) -> None:
    """By a page as by the recipe itself: whoever has to mend it hears of it."""
    parameter = field.rpartition(".")[2]
    alone = await client.get(f"/api/{name}", params={"user_id": "ada", parameter: "no"})
    page_of_it = await client.get(PAGE, params={"recipes": f"{name},greeting", "user_id": "ada", field: "no"})
    assert [one.json()["code"] for one in (alone, page_of_it)] == ["invalid_parameter"] * 2
    assert page_of_it.json()["detail"] == alone.json()["detail"].replace(f"`{parameter}`", f"`{field}`", 1)


async def test_a_page_may_be_about_a_user_and_an_account(client: httpx.AsyncClient) -> None:
    """Each recipe reads its own collection."""
    query = {"recipes": "greeting,of-an-account", "user_id": "ada", "group_id": "acme"}
    answered = await client.get(PAGE, params=query, headers=AUTHORIZED)
    assert answered.json()["results"] == {"greeting": ok("Hello, Ada"), "of-an-account": ok("gold")}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"user_id": "ada"}, "recipes"),
        ({"recipes": " , ", "user_id": "ada"}, "recipes"),
        ({"recipes": ",".join(f"a{n}:greeting" for n in range(21)), "user_id": "ada"}, "recipes"),
        ({"recipes": "greeting,greeting", "user_id": "ada"}, "recipes"),
        ({"recipes": "a b:greeting", "user_id": "ada"}, "recipes"),
        ({"recipes": ":greeting", "user_id": "ada"}, "recipes"),
        ({"recipes": "greeting"}, "user_id"),
        ({"recipes": "of-an-account", "user_id": "ada"}, "group_id"),
        ({"recipes": "greeting", "user_id": "ada", "colour": "red"}, "colour"),
        ({"recipes": "greeting", "user_id": "ada", "hero.words": "2"}, "hero.words"),
        ({"recipes": "greeting", "user_id": "ada", "greeting": "2"}, "greeting"),
        ({"recipes": "greeting", "user_id": "ada", "greeting.wrods": "2"}, "greeting.wrods"),
        ({"recipes": "greeting", "user_id": "ada", "greeting.words": "9"}, "greeting.words"),
        ({"recipes": "greeting,needs-word", "user_id": "ada"}, "needs-word.word"),
        ({"recipes": "greeting", "user_id": "ada", "timeout_ms": "soon"}, "timeout_ms"),
        ({"recipes": "greeting", "user_id": "ada", "timeout_ms": ""}, "timeout_ms"),
        ({"recipes": "greeting", "user_id": "x" * 300}, "user_id"),
        ({"recipes": "greeting", "external_id": "email:ada@example.com"}, "external_id"),
    ],
    ids=lambda one: str(one)[:60],
)
async def test_what_cannot_be_asked_is_refused(
    client: httpx.AsyncClient, api: RecordingProfileApi, query: dict[str, str], field: str
) -> None:
    """With a problem that names the field, and before anything is read."""
    answered = await client.get(PAGE, params=query, headers=AUTHORIZED)
    assert (answered.status_code, answered.json()["code"]) == (400, "invalid_parameter")
    assert answered.json()["detail"].startswith(f"`{field}` ")
    assert api.calls == []


def test_too_many_recipes_are_refused_before_each_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would be compared with every parameter: what fits a URL would hold up everybody for a third of a second."""
    looked_at: list[str] = []
    monkeypatch.setattr(page, "_of", lambda id_, _: looked_at.append(id_))
    with pytest.raises(BadParameter, match="more than 20"):
        page.from_query(b"recipes=" + b"a," * 21, IdRules())
    assert looked_at == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"[]", "body"),
        (b"[" * 10_000, "body"),
        (b"\xff", "body"),
        (b'{"user_id": "ada"}', "body"),
        (b'{"user_id": "ada", "recipes": []}', "recipes"),
        (b'{"user_id": 5, "recipes": [{"name": "greeting"}]}', "user_id"),
        (b'{"user_id": "ada", "recipes": [{"name": "greeting"}], "colour": "red"}', "body"),
        (b'{"user_id": "ada", "recipes": [{"nmae": "greeting"}]}', "recipes[0]"),
        (b'{"user_id": "ada", "recipes": [{"name": "greeting", "params": {"words": 9}}]}', "recipes[0].params.words"),
        (b'{"user_id": "ada", "recipes": [{"name": "greeting", "params": {"word": 1}}]}', "recipes[0].params.word"),
        (
            b'{"user_id": "ada", "recipes": [{"name": "views"}, {"name": "greeting", "params": {"words": 1e999}}]}',
            "recipes[1].params.words",
        ),
        (b'{"user_id": "ada", "recipes": [{"name": "greeting", "params": {"words": NaN}}]}', "body"),
        (b'{"user_id": "ada", "recipes": [{"name": "greeting"}, {"name": "greeting"}]}', "recipes"),
        (b'{"user_id": "ada", "recipes": [{"name": "greeting"}], "timeout_ms": "1"}', "timeout_ms"),
        (b'{"user_id": "ada", "recipes": [{"name": "greeting"}], "timeout_ms": 0.5}', "timeout_ms"),
        (b'{"user_id": "ada", "recipes": [{"name": "greeting", "params": {"words": "2"}}]}', "recipes[0].params.words"),
        (b'{"user_id": "ada", "recipes": [{"name": "greeting", "params": {"words": 1.5}}]}', "recipes[0].params.words"),
    ],
    ids=lambda one: repr(one)[:70],
)
async def test_a_body_that_cannot_be_asked_is_refused(client: httpx.AsyncClient, body: bytes, field: str) -> None:
    """As a query string is."""
    answered = await client.post(PAGE, content=body, headers={"Content-Type": "application/json"})
    assert (answered.status_code, answered.json()["code"]) == (400, "invalid_parameter"), answered.text
    assert answered.json()["detail"].startswith(f"`{field}` "), answered.text


async def test_a_body_is_json_and_not_too_large(client: httpx.AsyncClient) -> None:
    """And all that is asked is in it."""
    other = await client.post(PAGE, content=b"{}", headers={"Content-Type": "text/plain"})
    assert (other.status_code, other.json()["code"]) == (415, "unsupported_media_type")
    large = await client.post(PAGE, content=b" " * 70_000, headers={"Content-Type": "application/json"})
    assert (large.status_code, large.json()["code"]) == (413, "body_too_large")
    both = await client.post(f"{PAGE}?user_id=ada", json={"recipes": [{"name": "greeting"}]})
    assert (both.status_code, both.json()["detail"][:7]) == (400, "`query`")


@pytest.mark.parametrize("timeout_ms", ["0", "1", "999999999"])
async def test_a_wait_is_clamped(client: httpx.AsyncClient, timeout_ms: str) -> None:
    """What is too short or too long counts as what is allowed."""
    assert await got(client, "greeting", timeout_ms=timeout_ms) == {"greeting": ok("Hello, Ada")}


async def test_a_whole_number_may_be_written_with_a_point(client: httpx.AsyncClient) -> None:
    """JSON does not tell 2.0 from 2."""
    body = b'{"user_id": "ada", "timeout_ms": 300.0, "recipes": [{"name": "greeting", "params": {"words": 2.0}}]}'
    answered = await client.post(PAGE, content=body, headers={"Content-Type": "application/json"})
    assert answered.json()["results"]["greeting"] == ok("Hello, Hello, Ada")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"user_id": "ada", "user_id": "bob", "recipes": [{"name": "greeting"}]}', "user_id"),
        (b'{"user_id": "ada", "recipes": [{"name": "greeting", "params": {"words": 1, "words": 2}}]}', "words"),
    ],
)
async def test_nothing_is_told_twice(client: httpx.AsyncClient, body: bytes, field: str) -> None:
    """What reads it before us may take the first, and we the last."""
    answered = await client.post(PAGE, content=body, headers={"Content-Type": "application/json"})
    assert answered.status_code == 400
    assert answered.json()["detail"] == f"`{field}` is given more than once."


async def test_a_page_is_kept_as_long_as_its_oldest_part(client: httpx.AsyncClient) -> None:
    """By nobody but the visitor's browser, and of what was not refused; who has it already is told so."""
    query = {"recipes": "greeting,views", "user_id": "ada"}
    first = await client.get(PAGE, params=query, headers={"Origin": ORIGIN})
    assert 50 <= int(first.headers["Cache-Control"].removeprefix("private, max-age=")) <= 60
    assert first.headers["Access-Control-Allow-Origin"] == ORIGIN
    again = await client.get(PAGE, params=query, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    body = {"user_id": "ada", "recipes": [{"name": "greeting"}, {"name": "views"}]}
    asked_in_a_body = await client.post(PAGE, json=body, headers={"If-None-Match": first.headers["ETag"]})
    assert asked_in_a_body.json() == first.json()
    partly = await client.get(PAGE, params={"recipes": "greeting,for-servers", "user_id": "ada"})
    assert 50 <= int(partly.headers["Cache-Control"].removeprefix("private, max-age=")) <= 60  # of what was answered
    refused = await client.get(PAGE, params={"recipes": "for-servers", "user_id": "ada"})
    assert refused.headers["Cache-Control"] == "private, max-age=0"


@pytest.mark.counts_requests
async def test_each_recipe_of_a_page_is_counted(client: httpx.AsyncClient) -> None:
    """By how it went; one that there is not is not called by the caller's own word."""
    await got(client, "greeting,hero:greeting,for-servers,whatever-i-say")
    metrics = (await client.get("/metrics")).text
    assert 'personalize_requests_total{outcome="fresh",recipe="greeting"} 2.0' in metrics
    assert 'personalize_requests_total{outcome="denied",recipe="for-servers"} 1.0' in metrics
    assert 'personalize_requests_total{outcome="unknown",recipe="unknown"} 1.0' in metrics
    assert "whatever" not in metrics


async def test_other_methods_are_refused(client: httpx.AsyncClient) -> None:
    """With those that are not."""
    answered = await client.put(PAGE)
    assert answered.status_code == 405
    assert {"GET", "POST"} <= set(answered.headers["Allow"].split(", "))
