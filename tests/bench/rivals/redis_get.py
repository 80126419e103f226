"""The least that a shared cache costs: an answer is got from Redis whole, and sent by Starlette."""

import json
import os

import redis.asyncio as redis
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

answers = redis.from_url(os.environ["BENCH_REDIS"])


async def answer(request: Request) -> Response:
    """Answer what is kept of a visitor."""
    kept = await answers.get(f"answer:{request.query_params['anonymous_id']}")
    return JSONResponse(json.loads(kept or "null"))


app = Starlette(
    routes=[Route("/api/{recipe}", answer)],
    middleware=[Middleware(CORSMiddleware, allow_origins=["https://blog.example.com"])],
)
