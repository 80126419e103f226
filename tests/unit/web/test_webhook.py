"""What Segment pushes: who may, what is believed, and what the next page shows."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.routing import Route
from structlog.testing import capture_logs

from personalize.cache import inbox
from personalize.cache.inbox import Inbox
from personalize.errors import NotErased
from personalize.model import Collection, ExternalId
from personalize.telemetry.metrics import Metrics
from personalize.testing import RecordingProfileApi, service
from personalize.trust.ids import IdRules
from personalize.trust.signature import Signatures
from personalize.web.erasure import Erasure
from personalize.web.middleware import RequestIds
from personalize.web.webhook import ERASED_AT_ONCE, MAX_BODY, Webhook
from tests.processes import until
from tests.pushes import HOOK, SECRET, signature, told, written

CATEGORY = "favorite_blog_category"
NOW = datetime.now(UTC)
RECIPES = '''
"""Recipes of this test."""

from typing import Annotated

from personalize import Audiences, Trait, recipe


@recipe("category", access="public")
def category(name: Annotated[str, Trait("favorite_blog_category")] = "none") -> str:
    """Name the favourite category."""
    return name


@recipe("member", access="public")
def member(of: Annotated[tuple[str, ...], Audiences()] = ()) -> list[str]:
    """Name the audiences."""
    return list(of)
'''


@pytest.fixture
def api() -> RecordingProfileApi:
    return RecordingProfileApi({"user_id:ada": {"traits": {CATEGORY: "tea", "vip": True}}})


@pytest.fixture
async def client(api: RecordingProfileApi, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "own.py").write_text(RECIPES)
    async with service(api, RECIPES=str(tmp_path), WEBHOOK_SECRET=SECRET) as client:
        yield client


class Erasing:
    """Forgets people once so many wait for it; it records whom, and how many there were at once."""

    def __init__(self, together: int) -> None:
        self.erasure = Erasure(self._forget, reaches_all=True)
        self.erased: list[str] = []
        self.amending = asyncio.Event()
        self.refused = ""
        self.most = self._waiting = 0
        self._together = asyncio.Barrier(together)

    async def amend(self, *_: object) -> None:
        """Begin, and never end."""
        self.amending.set()
        await asyncio.Event().wait()

    async def _forget(self, _: Collection, external_ids: Iterable[ExternalId]) -> bool:
        self._waiting += 1
        self.most = max(self.most, self._waiting)
        await self._together.wait()
        self._waiting -= 1
        found = [one.value for one in external_ids if one.value != self.refused]
        self.erased += found
        return bool(found)


@asynccontextmanager
async def hooked(erasing: Erasing) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of a webhook alone."""
    metrics = Metrics(CollectorRegistry())
    waiting = Inbox(erasing.amend, metrics=metrics)
    signatures, reads = Signatures(SECRET.encode()), lambda *_, **__: True
    rules = IdRules()
    webhook = Webhook(signatures, erasing.erasure, waiting, rules=rules, reads=reads, window=86_400, metrics=metrics)
    transport = httpx.ASGITransport(RequestIds(Starlette(routes=[Route(HOOK, webhook.post, methods=["POST"])])))
    async with waiting.opened(), httpx.AsyncClient(transport=transport, base_url="http://service.test") as client:
        yield client


async def push(client: httpx.AsyncClient, call: object, **headers: str) -> httpx.Response:
    """Push a call, signed unless the headers say otherwise."""
    body = written(call)
    return await client.post(HOOK, content=body, headers={**signature(body), **headers})


async def shown(client: httpx.AsyncClient, who: str = "user_id=ada", recipe: str = "category") -> object:
    return (await client.get(f"/api/{recipe}?{who}")).json()["data"]


async def counted(client: httpx.AsyncClient, kind: str, outcome: str, count: float = 1) -> None:
    """Wait until so many messages had an outcome."""
    line = f'personalize_webhook_messages_total{{kind="{kind}",outcome="{outcome}"}} {count}'

    async def look() -> bool | None:
        return line in (await client.get("/metrics")).text or None

    await until(look, line)


async def test_a_pushed_trait_is_what_the_next_page_shows(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """Without asking Segment, and as fresh as what was read."""
    assert await shown(client) == "tea"
    answer = await push(client, told(CATEGORY, "coffee", userId="ada"))
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    assert (answer.headers["Cache-Control"], "X-Request-Id" in answer.headers) == ("no-store", True)
    await counted(client, "trait", "written")
    assert await shown(client) == "coffee"
    assert api.calls == ["traits user_id:ada"]


async def test_an_audience_is_entered_and_left(client: httpx.AsyncClient) -> None:
    """As track calls tell of it, too."""
    assert await shown(client, recipe="member") == ["vip"]
    await push(client, told("tea_drinkers", value=True, class_="audience", userId="ada"))
    left = told("vip", value=None, class_="audience", userId="ada")
    await push(client, {**left, "type": "track", "event": "Audience Exited", "properties": {"vip": False}})
    await counted(client, "audience", "written", 2)
    assert await shown(client, recipe="member") == ["tea_drinkers"]


async def test_an_older_message_changes_nothing(client: httpx.AsyncClient) -> None:
    """Nor does the same one again."""
    await shown(client)
    new = told(CATEGORY, "coffee", userId="ada", at=datetime.now(UTC) + timedelta(seconds=2))
    for call in (new, told(CATEGORY, "milk", userId="ada"), new):
        await push(client, call)
    await counted(client, "trait", "repeated", 2)
    assert await shown(client) == "coffee"


async def test_a_visitor_who_was_unknown_is_looked_up_again(
    client: httpx.AsyncClient, api: RecordingProfileApi
) -> None:
    """What nobody had asked of Segment is not made up of one trait."""
    assert await shown(client, "anonymous_id=new") == "none"
    api.profiles["anonymous_id:new"] = {"traits": {CATEGORY: "tea"}}
    await push(client, told(CATEGORY, "tea", anonymousId="new"))
    await counted(client, "trait", "invalidated")
    assert await shown(client, "anonymous_id=new") == "tea"


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ({"X-Signature": ""}, "is missing"),
        ({"X-Signature": "0" * 40}, "is not that of this body"),
        (signature(written(told(CATEGORY, "coffee", userId="eve"))), "is not that of this body"),
        ({"X-Signature": "f" * 39 + "é"}, "is missing"),
    ],
)
async def test_what_is_not_signed_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, headers: dict[str, str], detail: str
) -> None:
    """The problem says what is wrong with the signature, and nothing of anybody."""
    await shown(client)
    with capture_logs() as logged:
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        body = written(told(CATEGORY, "coffee", userId="ada"))
        answer = await client.post(HOOK, content=body, headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (403, "bad_signature")
    assert detail in answer.json()["detail"]
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [event["event"] for event in logged] == ["webhook_refused", "request_answered"]
    await counted(client, "other", "refused")
    assert await shown(client) == "tea"


async def test_of_the_rest_of_a_batch_only_that_something_has_changed_is_believed(
    client: httpx.AsyncClient, api: RecordingProfileApi
) -> None:
    """Its values are read from Segment."""
    api.profiles["user_id:bob"] = {"traits": {CATEGORY: "beer"}}
    assert [await shown(client), await shown(client, "user_id=bob")] == ["tea", "beer"]
    head, tail = told(CATEGORY, "coffee", userId="ada"), told(CATEGORY, "forged", userId="bob")
    body = written([head, tail, {"type": "delete", "userId": "bob"}, "nonsense"])
    answer = await client.post(HOOK, content=body, headers=signature(written(head)))
    assert answer.status_code == 202
    await counted(client, "trait", "invalidated")
    await counted(client, "delete", "invalidated")
    await counted(client, "other", "ignored")
    api.profiles["user_id:bob"] = {"traits": {CATEGORY: "wine"}}
    assert [await shown(client), await shown(client, "user_id=bob")] == ["coffee", "wine"]


@pytest.mark.parametrize("when", [{"timestamp": None}, {"timestamp": (NOW - timedelta(hours=25)).isoformat()}])
async def test_behind_an_old_call_nobody_is_heard(client: httpx.AsyncClient, when: dict[str, Any]) -> None:
    """Whoever has once seen a signed call could put anything behind it, for ever."""
    assert await shown(client) == "tea"
    head = {**told(CATEGORY, "x", userId="carol"), **when}
    body = written([head, told(CATEGORY, "forged", userId="ada")])
    assert (await client.post(HOOK, content=body, headers=signature(written(head)))).status_code == 202
    await counted(client, "trait", "late", 2 if when["timestamp"] else 1)


async def test_what_no_recipe_reads_is_nothing_to_us(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """It costs nobody what is remembered of them."""
    await shown(client)
    await push(client, told("orders_total", 12, userId="ada"))
    await push(client, {"type": "page", "userId": "ada"})
    await counted(client, "trait", "unread")
    await counted(client, "other", "ignored")
    assert await shown(client) == "tea"
    assert len(api.calls) == 1


async def test_a_deletion_is_done_before_the_answer(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """Under all ids seen together, and told without any of them."""
    api.profiles["anonymous_id:phone"] = api.profiles["user_id:ada"]
    for who in ("user_id=ada&anonymous_id=phone", "anonymous_id=phone"):
        await shown(client, who)
    with capture_logs() as logged:
        answer = await push(client, {"type": "delete", "userId": "ada"}, **{"X-Request-Id": "r-1"})
    assert answer.status_code == 202
    assert logged == [{"event": "person_erased", "log_level": "info", "ids": 1, "by": "segment", "request_id": "r-1"}]
    await shown(client)
    await shown(client, "anonymous_id=phone")
    assert len(api.calls) == 4


async def test_a_deletion_that_is_sent_again_is_done_again(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """What was read of the person in between is forgotten, too: a sender that heard no answer loses nothing."""
    for _ in range(2):
        assert (await push(client, {"type": "delete", "userId": "ada"})).status_code == 202
        await shown(client)
    assert len(api.calls) == 2


async def test_the_people_of_a_batch_are_erased_side_by_side() -> None:
    """One whom Redis does not take keeps nobody else from being erased, and lets the call be sent again."""
    erasing = Erasing(ERASED_AT_ONCE)
    people = [f"u{number}" for number in range(3 * ERASED_AT_ONCE)]
    body = written([{"type": "delete", "userId": one} for one in people])
    async with hooked(erasing) as client:
        erasing.refused = "u0"
        with pytest.raises(NotErased):
            await client.post(HOOK, content=body, headers=signature(body))
        assert sorted(erasing.erased) == sorted(people)[1:]
        erasing.refused = ""
        assert (await client.post(HOOK, content=body, headers=signature(body))).status_code == 202
    assert erasing.most == ERASED_AT_ONCE


async def test_a_pushed_trait_is_taken_before_it_is_worked_off() -> None:
    """However long that takes: the sender hears at once that it need not come again."""
    held = Erasing(1)
    async with hooked(held) as client:
        assert (await push(client, told(CATEGORY, "coffee", userId="ada"))).status_code == 202
        await held.amending.wait()
        assert (await push(client, told(CATEGORY, "milk", userId="ada"))).status_code == 202


async def test_a_deletion_of_nobody_is_nothing(client: httpx.AsyncClient) -> None:
    """There has to be an id that could be asked about."""
    assert (await push(client, {"type": "delete", "userId": ""})).status_code == 202
    await counted(client, "delete", "ignored")


async def test_a_body_has_segments_size_at_most(client: httpx.AsyncClient) -> None:
    """It is refused before it is read whole, whoever has signed it."""
    body = b" " * (MAX_BODY + 1)
    answer = await client.post(HOOK, content=body, headers=signature(body))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert (await client.post(HOOK, content=body[:-1], headers=signature(body[:-1]))).status_code == 202


async def test_too_many_changes_are_sent_again_later(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of such a call is taken."""
    monkeypatch.setattr(inbox, "MAX_WAITING_BYTES", 10)
    answer = await push(client, told(CATEGORY, "coffee", userId="ada"))
    assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (503, "busy", "5")
    await counted(client, "other", "busy")


async def test_without_a_secret_there_is_no_webhook(api: RecordingProfileApi) -> None:
    """Nobody could be believed."""
    async with service(api) as client:
        answer = await push(client, told(CATEGORY, "coffee", userId="ada"))
        described = (await client.get("/openapi.json")).json()["paths"]
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert HOOK not in described


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_the_webhook_is_posted_to(client: httpx.AsyncClient, method: str) -> None:
    """And described."""
    assert (await client.request(method, HOOK)).status_code == 405
    assert HOOK in (await client.get("/openapi.json")).json()["paths"]
