"""The least that uvicorn can do: these bytes to everybody (ASGI). What they are, files named in the environment say."""

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

Message = Mapping[str, Any]

_answer = json.loads(Path(os.environ["BENCH_ANSWER"]).read_text())
BODY: bytes = _answer["body"].encode()
HEADERS = [(name.encode(), value.encode()) for name, value in _answer["headers"]]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer."""
    if scope["type"] != "http":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
