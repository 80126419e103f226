"""Middleware that misbehaves as faults say."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from personalize.sandbox.answers import Refused, answering
from personalize.sandbox.faults import Fault, Faults
from personalize.sandbox.rawpath import route

NO_STATUS = 0
"""No server can write this status: it closes the connection instead."""

GARBAGE = b"<!doctype html><title>Hello from a proxy</title><p>Something is here, but no JSON."
CODES = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found", 429: "rate_limit_error"}
"""The error codes that the Profile API documentation has for statuses; other statuses get `server_error`."""

Wait = Callable[[float], Awaitable[None]]


class Faulty:
    """Lets an app answer, unless there is a fault for the call's route, which is the last segment of its path.

    Args:
        app: what answers.
        faults: what happens.
        chance: returns from 0 to 1, for how far latency is off.
        wait: waits for some seconds.
    """

    def __init__(
        self, app: ASGIApp, faults: Faults, chance: Callable[[], float] = random.random, wait: Wait = asyncio.sleep
    ) -> None:
        self._app = app
        self._faults = faults
        self._chance = chance
        self._wait = wait

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or do otherwise."""
        fault = self._faults.take(route(scope))
        if fault is None:
            await self._app(scope, receive, send)
            return
        await self._wait(fault.latency(self._chance()))
        if fault.kind == "reset":
            await _reset(send)
        else:
            await self._deliver(fault, await _answer(_source(fault, self._app), scope, receive), send)

    async def _deliver(self, fault: Fault, answer: list[Message], send: Send) -> None:
        start, body = answer[0], b"".join(message.get("body", b"") for message in answer[1:])
        await send(start)
        if fault.kind == "truncate":
            await send(_part(body[: len(body) // 2]))  # and no more, whatever its Content-Length says
            return
        if fault.kind == "drip":
            for byte in body:
                await send(_part(bytes([byte])))
                await self._wait(fault.pace_ms / 1000)
            body = b""
        await send({"type": "http.response.body", "body": body})


def _source(fault: Fault, app: ASGIApp) -> ASGIApp:
    """Return what makes the answer that a fault then delivers."""
    if fault.kind == "garbage":
        return Response(GARBAGE, fault.status or 200, _headers(fault), media_type="text/html")
    return app if fault.status is None else answering(_refusing(fault, fault.status))


def _refusing(fault: Fault, status: int) -> Callable[[Request], Awaitable[Response]]:
    async def refuse(_request: Request) -> Response:
        code = fault.code or CODES.get(status, "server_error")
        raise Refused(status, code, "The sandbox was told to fail.", _headers(fault))

    return refuse


def _headers(fault: Fault) -> dict[str, str]:
    return {} if fault.retry_after is None else {"Retry-After": fault.retry_after}


async def _answer(app: ASGIApp, scope: Scope, receive: Receive) -> list[Message]:
    """Return what an app sends."""
    sent: list[Message] = []

    async def keep(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, keep)
    return sent


async def _reset(send: Send) -> None:
    """Start an answer that cannot be written, and leave it at that."""
    with suppress(Exception):  # each server objects in its own way, and then closes the connection
        await send({"type": "http.response.start", "status": NO_STATUS, "headers": []})


def _part(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}
