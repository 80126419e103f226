"""A real Redis for the tests of this folder, empty for each, and a connection to it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from prometheus_client import CollectorRegistry

from personalize.fleet.connection import Connection
from personalize.telemetry.metrics import Metrics
from tests import redises
from tests.processes import until
from tests.redises import Server


class Clock:
    """A monotonic time, which a test steps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    with redises.server() as server:
        yield server


@pytest.fixture
def server(shared_server: Server) -> Server:
    """Return a server that is empty."""
    shared_server.client.flushall()
    return shared_server


@pytest.fixture
async def connection(server: Server, metrics: Metrics) -> AsyncIterator[Connection]:
    """Open a connection that is through: the first one of a process is the slowest."""
    connection = Connection(server.url, metrics=metrics)
    await until(lambda: connection.read_fields("warm", ["traits"]), "Redis to answer")
    server.client.config_resetstat()
    yield connection
    await connection.aclose()
