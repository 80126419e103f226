"""A real Redis for the unit tests that need one, empty for each."""

from collections.abc import Iterator

import pytest

from tests import redises
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
