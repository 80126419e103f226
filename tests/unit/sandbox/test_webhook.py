"""Changes of computed traits and audiences, pushed as Segment's webhooks do."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from personalize.sandbox.app import create_sandbox
from personalize.sandbox.pusher import WAITING, Pusher, Target
from tests.unit.sandbox.conftest import Segment, StillClock

HOOK = "http://service.test/webhooks/segment"


class Receiver:
    """Takes calls in the network's place, and answers with the statuses that it is given, then with 200."""

    def __init__(self, *answers: int | type[Exception]) -> None:
        self.answers = list(answers)
        self.calls: asyncio.Queue[httpx.Request] = asyncio.Queue()
        self.transport = httpx.MockTransport(self._take)

    async def next(self) -> httpx.Request:
        """Return the next call; there has to be one."""
        return await asyncio.wait_for(self.calls.get(), 5)

    async def bodies(self, count: int) -> list[dict[str, Any]]:
        """Return what the next calls say."""
        return [json.loads((await self.next()).content) for _ in range(count)]

    def _take(self, request: httpx.Request) -> httpx.Response:
        self.calls.put_nowait(request)
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, int):
            return httpx.Response(answer)
        raise answer("gone")


@asynccontextmanager
async def pushing(receiver: Receiver, **options: Any) -> AsyncIterator[Segment]:
    """Run a sandbox that pushes to a receiver."""
    app = create_sandbox(clock=StillClock(), post=receiver.transport, **options)
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://sandbox.test")
    async with app.router.lifespan_context(app), http:
        yield Segment(http)


async def test_a_change_is_an_identify_call() -> None:
    """A change is pushed as one signed identify call that names the computation, its class and the space."""
    receiver = Receiver()
    async with pushing(receiver, webhook_url=HOOK, webhook_secret="s3cret") as segment:
        await segment.track("Post Viewed", {"category": "Travel"}, anonymousId="a1")
        call = await receiver.next()
    assert (call.method, str(call.url), call.headers["Content-Type"]) == ("POST", HOOK, "application/json")
    assert call.headers["X-Signature"] == hmac.new(b"s3cret", call.content, hashlib.sha1).hexdigest()
    body = json.loads(call.content)
    assert body.pop("messageId").startswith("personas_")
    assert body["context"]["personas"].pop("computation_id").startswith("tra_")
    assert body == {
        "type": "identify",
        "anonymousId": "a1",
        "traits": {"favorite_blog_category": "Travel"},
        "context": {
            "personas": {
                "computation_class": "trait",
                "computation_key": "favorite_blog_category",
                "namespace": "sandbox",
                "space_id": "sandbox",
            }
        },
        "timestamp": "2025-11-20T12:00:00.000Z",
    }


SHOPPER = (
    '{"anonymousId":"anonId1234","context":{"personas":{"computation_class":"audience","computation_id":"aud_1",'
    '"computation_key":"first_time_shopper","namespace":"spa_1","space_id":"spa_1"}},"event":"Test Event",'
    '"messageId":"personas_1","properties":{},"receivedAt":"2026-11-22T04:41:22.703Z",'
    '"sentAt":"2026-11-22T04:41:22.703Z","timestamp":"2024-01-01T00:00:00.000Z",'
    '"traits":{"first_time_shopper":true},"type":"identify","userId":"u123"}'
)
REVENUE = (
    '{"anonymousId":"anonId1234","context":{"personas":{"computation_class":"trait","computation_id":"tra_1",'
    '"computation_key":"total_revenue_180_days","namespace":"spa_1","space_id":"spa_1"}},"event":"Test Event",'
    '"messageId":"personas_3","properties":{},"receivedAt":"2026-11-22T04:41:22.760Z",'
    '"sentAt":"2026-11-22T04:41:22.760Z","timestamp":"2024-01-01T00:00:02.000Z",'
    '"traits":{"total_revenue_180_days":450},"type":"identify","userId":"u123"}'
)


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (SHOPPER, "18d8e50dbb0b8a322f2768672dd4eb49cb02a27b"),
        (REVENUE, "f17b213afa6f33b79e9c1b943b23df5b2827f02e"),
    ],
)
def test_a_signature_is_segments(body: str, signature: str) -> None:
    """A body is signed exactly as Segment's webhook destination signs it with the secret `abc123`."""
    assert Target(HOOK, "abc123").headers(body.encode())["X-Signature"] == signature


async def test_only_changes_are_pushed() -> None:
    """What is computed anew with the same value is not pushed again; without a secret nothing is signed."""
    receiver = Receiver()
    async with pushing(receiver, webhook_url=HOOK) as segment:
        for category in ("Travel", "Travel", "Cooking", "Cooking", "Cooking"):
            await segment.track("Post Viewed", {"category": category}, userId="kim")
        first, second = await receiver.next(), await receiver.next()
    assert json.loads(first.content)["traits"] == {"favorite_blog_category": "Travel"}
    assert json.loads(second.content)["traits"] == {"favorite_blog_category": "Cooking"}
    assert "X-Signature" not in first.headers


async def test_every_id_gets_a_call() -> None:
    """A change is pushed once for each user id and anonymous id; ids of other types get none."""
    receiver = Receiver()
    custom = {"externalIds": [{"id": "c1", "type": "crm_id", "collection": "users", "encoding": "none"}]}
    async with pushing(receiver, webhook_url=HOOK) as segment:
        await segment.identify(userId="kim", anonymousId="a1", context=custom)
        await segment.track("Order Completed", {"total": 10}, userId="kim")
        calls = await receiver.bodies(4)
    about = {(call.get("userId"), call.get("anonymousId"), *call["traits"]) for call in calls}
    assert about == {
        ("kim", None, "orders_total"),
        ("kim", None, "all_users_order_completed"),
        (None, "a1", "orders_total"),
        (None, "a1", "all_users_order_completed"),
    }
    classes = {call["context"]["personas"]["computation_class"] for call in calls}
    assert classes == {"trait", "audience"}


async def test_a_new_id_hears_what_is_known() -> None:
    """An id that comes to a profile gets a call for all that the profile has, and the others get none."""
    receiver = Receiver()
    async with pushing(receiver, webhook_url=HOOK) as segment:
        await segment.track("Post Viewed", {"category": "Travel"}, userId="kim")
        await receiver.next()
        await segment.identify(userId="kim", anonymousId="a9")
        await segment.track("Post Viewed", {"category": "Tea"}, userId="lee")
        news, other = await receiver.bodies(2)
    assert (news["anonymousId"], news["traits"]) == ("a9", {"favorite_blog_category": "Travel"})
    assert other["userId"] == "lee"


async def test_a_new_id_hears_of_nothing_that_is_not_computed() -> None:
    """What is computed of accounts is a plain trait of a person's, though it has the same name."""
    receiver = Receiver()
    async with pushing(receiver, webhook_url=HOOK) as segment:
        await segment.identify(userId="kim", traits={"account_orders_total": 5})
        await segment.identify(userId="kim", anonymousId="a9")
        await segment.track("Post Viewed", {"category": "Tea"}, userId="lee")
        assert (await receiver.bodies(1))[0]["userId"] == "lee"


async def test_passing_time_is_pushed() -> None:
    """Who leaves an audience as the clock is moved on is pushed, too."""
    receiver = Receiver()
    async with pushing(receiver, webhook_url=HOOK) as segment:
        for _ in range(3):
            await segment.track("Product Viewed", {"product_id": "p"}, userId="kim")
        entered = await receiver.bodies(1)
        moved = await segment.http.post("/sandbox/clock", json={"advance": "61d"})
        assert moved.status_code == 200
        pushed = await receiver.bodies(3)  # two seeded visitors viewed three products, too
    assert entered[0]["traits"] == {"3_product_views_in_last_60_days": True}
    (left,) = [call for call in pushed if call.get("userId") == "kim"]
    assert left["traits"] == {"3_product_views_in_last_60_days": False}


async def test_the_url_can_be_changed() -> None:
    """`POST /sandbox/webhook` says where to push from now on, `DELETE` nowhere; the secret is never shown."""
    receiver = Receiver()
    async with pushing(receiver) as segment:
        await segment.track("Post Viewed", {"category": "Unheard"}, userId="kim")
        aimed = await segment.http.post("/sandbox/webhook", json={"url": HOOK, "secret": "s3cret"})
        await segment.track("Post Viewed", {"category": "Heard"}, userId="lee")
        call = await receiver.next()
        assert (await segment.http.delete("/sandbox/webhook")).status_code == 204
        await segment.track("Post Viewed", {"category": "Unheard again"}, userId="kim")
        after = (await segment.http.get("/sandbox/webhook")).json()
    assert aimed.json() == {"url": HOOK, "signed": True, "waiting": 0, "delivered": 0, "failed": 0, "dropped": 0}
    assert json.loads(call.content)["traits"] == {"favorite_blog_category": "Heard"}
    assert (after["url"], after["signed"], receiver.calls.empty()) == (None, False, True)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "`url`"),
        ({"url": "ftp://x"}, "`url`"),
        ({"url": "http://"}, "`url`"),
        ({"url": "http://x\n"}, "`url`"),
        ({"url": "http://x:65536"}, "`url`"),
        ({"url": HOOK, "secret": 1}, "secret"),
        ({"url": HOOK, "key": "k"}, "`key`"),
    ],
)
async def test_a_wrong_target_is_refused(segment: Segment, body: dict[str, Any], named: str) -> None:
    """A webhook that cannot be meant is a 400 that names the field."""
    answer = await segment.http.post("/sandbox/webhook", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "validation_error")
    assert named in answer.json()["error"]["message"]


def test_a_wrong_url_makes_no_sandbox() -> None:
    """A sandbox is not made with a webhook URL that is none."""
    with pytest.raises(ValueError, match="`url` has to be"):
        create_sandbox(webhook_url="nowhere")


class Waits:
    """Waits no time, and says for how long it should have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.mark.parametrize(
    ("answers", "expected", "waited"),
    [
        ((503,), (2, 0), [0.2]),
        ((httpx.ConnectError, 500), (2, 0), [0.2, 0.4]),
        ((500, httpx.ReadTimeout, 302), (1, 1), [0.2, 0.4]),
        ((UnicodeError,), (2, 0), [0.2]),
    ],
)
async def test_a_call_that_is_not_taken_is_tried_three_times(
    answers: tuple[Any, ...], expected: tuple[int, int], waited: list[float]
) -> None:
    """A failure is tried again after a growing wait, then counted and given up; the next call goes on."""
    receiver, waits = Receiver(*answers), Waits()
    pusher = Pusher(Target(HOOK), receiver.transport, waits)
    pusher.push(b"first")
    pusher.push(b"second")
    async with pusher.running():
        while (await receiver.next()).content != b"second":
            pass
        await asyncio.wait_for(pusher.settled(), 5)
    assert ((pusher.tally.delivered, pusher.tally.failed), waits.seconds) == (expected, waited)


async def test_what_waits_for_a_url_that_is_gone_is_given_up() -> None:
    """A call that was pushed before the webhook was taken away is not sent."""
    receiver = Receiver()
    pusher = Pusher(None, receiver.transport, Waits())
    pusher.push(b"late")
    async with pusher.running():
        await asyncio.wait_for(pusher.settled(), 5)
    assert (pusher.tally.failed, receiver.calls.empty()) == (1, True)


def test_too_many_calls_are_dropped() -> None:
    """Pushing never waits: beyond what may wait, calls are dropped and counted."""
    pusher = Pusher(Target(HOOK), None)
    for _ in range(WAITING + 2):
        pusher.push(b"")
    assert (pusher.waiting, pusher.tally.dropped) == (WAITING, 2)


async def test_the_sender_ends_with_the_sandbox() -> None:
    """The sender runs under a name, and no task of it is left."""
    async with pushing(Receiver()):
        assert "sandbox-pusher" in {task.get_name() for task in asyncio.all_tasks()}
    assert "sandbox-pusher" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_what_is_computed_for_an_account_is_pushed_to_nobody() -> None:
    """An identify call is about a person, even where an account has an id of a type that people have."""
    receiver = Receiver()
    custom = {"externalIds": [{"id": "shared", "type": "user_id", "collection": "accounts"}]}
    async with pushing(receiver, webhook_url=HOOK) as segment:
        await segment.group(userId="kim", groupId="g1", context=custom)
        await segment.track("Order Completed", {"total": 5}, userId="kim", context={"groupId": "g1"})
        bodies = await receiver.bodies(2)
    assert {body["userId"] for body in bodies} == {"kim"}
    assert [next(iter(body["traits"])) for body in bodies] == ["orders_total", "all_users_order_completed"]
    assert receiver.calls.empty()
