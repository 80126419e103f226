"""The service with its real neighbours, each of which can be broken."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.faults import visitors
from tests.faults.redis_server import RedisServer
from tests.faults.service import Sandbox, Service, sandbox_running, service_running

Serve = Callable[..., AbstractContextManager[Service]]
"""Runs a service: `serve(upstream_url, workers=…, CACHE_TTL="1s")`."""


@pytest.fixture(scope="session")
def client() -> Iterator[httpx.Client]:
    """Return a plain HTTP client that keeps no connection, for processes come and go."""
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(timeout=15, trust_env=False, limits=limits) as client:
        yield client


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the histories of the known visitors."""
    return visitors.written(tmp_path_factory.mktemp("seed") / "visitors.jsonl")


@pytest.fixture(scope="session")
def shared_sandbox(client: httpx.Client, seed: Path) -> Iterator[Sandbox]:
    with sandbox_running(client, seed) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Iterator[Sandbox]:
    """Return the sandbox, as if just started."""
    shared_sandbox.reset()
    yield shared_sandbox
    shared_sandbox.behave()


@pytest.fixture(scope="session")
def serve(client: httpx.Client) -> Serve:
    return partial(service_running, client)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a Redis of this test's own."""
    with RedisServer(tmp_path).running() as server:
        yield server
