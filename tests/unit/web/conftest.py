"""Two ways for every test of this folder: the whole one, and the short lane that answers what was asked before.

The second is as a browser has it: over the protocol, which sends at once what the lane has.
"""

import re

import httpx
import pytest

from tests.wired import asked

OF_THIS_ANSWER = {"x-request-id", "cache-control"}


class Repeating(httpx.ASGITransport):
    """Asks again what was answered well, until it comes by the short lane; every answer has to be the first one."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if not await _repeats(request, response):
            return response
        first = await _told(response)
        for _ in range(3):
            response, at_once = await asked(self.app, request)
            assert await _told(response) == first
        assert at_once or not _kept(request, response)
        return response


async def _repeats(request: httpx.Request, response: httpx.Response) -> bool:
    """Whether an answer stays the same; one that tells our own servers how it came about does not."""
    recipe = request.method == "GET" and request.url.path.startswith("/api/") and "Authorization" not in request.headers
    return recipe and response.status_code == 200 and b'"degraded":true' not in await response.aread()


def _kept(request: httpx.Request, response: httpx.Response) -> bool:
    """Whether the lane keeps an answer: one for everybody, without an error, that may be kept for a while."""
    fresh = re.search(r"max-age=[1-9]", response.headers["cache-control"])
    return (
        bool(fresh) and "html" not in request.headers["accept"].lower() and b'"status":"error"' not in response.content
    )


async def _told(response: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    """Return what an answer says, but for what differs each time."""
    headers = {name: value for name, value in response.headers.items() if name not in OF_THIS_ANSWER}
    return response.status_code, headers, await response.aread()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let a test go both ways, unless it counts requests itself."""
    if metafunc.definition.get_closest_marker("counts_requests") is None:
        metafunc.parametrize("way", ["whole way", "short lane"], indirect=True)


@pytest.fixture(autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every service of a test be asked by one of the two ways."""
    if getattr(request, "param", "whole way") == "short lane":
        monkeypatch.setattr(httpx, "ASGITransport", Repeating)
