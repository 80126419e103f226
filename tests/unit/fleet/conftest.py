"""A real Redis for the tests of this folder, empty for each, and a connection to it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from personalize.fleet.connection import Connection
from tests import redises
from tests.connections import Counts, connected, eventually
from tests.redises import Server


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    """Return a server that the tests share."""
    with redises.server() as server:
        yield server


@pytest.fixture
def server(shared_server: Server) -> Server:
    """Return a server that is empty."""
    shared_server.client.flushall()
    return shared_server


@pytest.fixture
def counts() -> Counts:
    """Return what the connection has counted."""
    return Counts()


@pytest.fixture
async def connection(server: Server, counts: Counts) -> AsyncIterator[Connection]:
    """Return a connection that is through: the first one of a process is the slowest."""
    async with connected(server.url, counts) as connection:
        await eventually(connection)
        server.client.config_resetstat()
        yield connection
