"""The least that uvicorn can do: the same bytes to everybody, by path (ASGI); a file says which."""

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

Message = Mapping[str, Any]

ANSWERS = {
    path: (one["body"].encode(), [(name.encode(), value.encode()) for name, value in one["headers"]])
    for path, one in json.loads(Path(os.environ["BENCH_ANSWERS"]).read_text()).items()
}
"""The body and the headers of each path."""


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer."""
    if scope["type"] != "http":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body, headers = ANSWERS[scope["path"]]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
