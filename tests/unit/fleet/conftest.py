"""A connection to the Redis of the unit tests."""

from collections.abc import AsyncIterator

import pytest

from personalize.fleet.connection import Connection
from tests.connections import WAIT_SECONDS, Counts, connected, eventually
from tests.redises import Server


@pytest.fixture
def counts() -> Counts:
    """Return what the connection has counted."""
    return Counts()


@pytest.fixture
async def connection(server: Server, counts: Counts) -> AsyncIterator[Connection]:
    """Return a connection that is through, with time enough for whatever else the machine does."""
    async with connected(server.url, counts, seconds=WAIT_SECONDS) as connection:
        await eventually(connection)
        server.client.config_resetstat()
        yield connection
