"""The service and the sandbox as real processes on loopback."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.processes import personalize, wait_for_urls
from tests.sites import Site
from tests.wordpress import mariadb


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """Return a plain HTTP client, as curl would be."""
    with httpx.Client(timeout=10, trust_env=False) as client:
        yield client


@pytest.fixture
def sandbox_url() -> Iterator[str]:
    """Return the URL of a sandbox of this test's own."""
    with personalize("sandbox", "--port", "0") as run:
        yield wait_for_urls(run, 1)[0]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Return a service with its sandbox, as `make run` starts them, shared by a module's tests."""
    with personalize("serve", "--sandbox", "--port", "0", "--sandbox-port", "0") as run:
        service, sandbox = wait_for_urls(run, 2)
        yield Site(service, sandbox, run)


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the socket of a MariaDB that ends with the tests, for every WordPress of theirs."""
    with mariadb(tmp_path_factory.mktemp("mariadb")) as socket:
        yield socket
