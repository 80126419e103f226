"""A Profile API that knows everybody, and takes as long as it is told."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

CATEGORIES = ("Cycling", "Coffee", "Design", "Travel")
LATENCY = float(os.environ.get("BENCH_LATENCY", "0"))
"""Seconds."""

CURSOR = {"url": "", "has_more": False, "next": "", "limit": 100}

Message = Mapping[str, Any]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer traits and events of anybody (ASGI)."""
    if scope["type"] != "http":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await asyncio.sleep(LATENCY)
    path: str = scope["path"]
    number = sum(path.encode())
    body = json.dumps(_traits(number) if path.endswith("/traits") else _events(number)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


def _traits(number: int) -> Message:
    return {"traits": {"favorite_blog_category": CATEGORIES[number % len(CATEGORIES)]}, "cursor": CURSOR}


def _events(number: int) -> Message:
    events = [
        {
            "event": "Product Viewed",
            "timestamp": f"2026-01-02T03:04:0{second}Z",
            "properties": {"product_id": f"p{(number + second) % 7}", "name": "Product"},
            "message_id": f"m{number}-{second}",
        }
        for second in range(5)
    ]
    return {"data": events, "cursor": CURSOR}
