"""The same answer by Starlette as one usually writes it: a route, `JSONResponse` and `CORSMiddleware`."""

import json
import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

EXPOSED = ["ETag", "X-Request-Id", "Retry-After"]
MADE = {"content-length", "content-type", "vary", "access-control-allow-origin", "access-control-expose-headers"}
"""What `JSONResponse` and `CORSMiddleware` say."""

ANSWERS = {
    path: (json.loads(one["body"]), {name: value for name, value in one["headers"] if name not in MADE})
    for path, one in json.loads(Path(os.environ["BENCH_ANSWERS"]).read_text()).items()
}


async def answer(request: Request) -> Response:
    """Answer what was decoded before, with the headers of ours that Starlette does not make itself."""
    data, headers = ANSWERS[request.url.path]
    return JSONResponse(data, headers=headers)


app = Starlette(
    routes=[Route("/api/{recipe}", answer)],
    middleware=[Middleware(CORSMiddleware, allow_origins=["https://blog.example.com"], expose_headers=EXPOSED)],
)
