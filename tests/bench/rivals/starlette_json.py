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

ANSWER = json.loads(json.loads(Path(os.environ["BENCH_ANSWER"]).read_text())["body"])


async def answer(_: Request) -> Response:
    """Answer what was decoded before."""
    return JSONResponse(ANSWER)


app = Starlette(
    routes=[Route("/api/{recipe}", answer)],
    middleware=[Middleware(CORSMiddleware, allow_origins=["https://blog.example.com"])],
)
