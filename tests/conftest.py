"""Fixtures of many tests: real parts, started for a test and ended with it."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from itertools import count
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from personalize.telemetry import logs
from tests.processes import ended, wait_for_port
from tests.turns import ROWS, Sharing, row_of, turn

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # processes of tests would compile everything anew, each of them

FIRST_PORT, PORTS, WORKERS = 12_000, 1_000, 20
"""The first port that tests use, how many each process has, and how many processes that is enough for."""

PACKAGES = Path(__file__).parent / "browser" / "node_modules"


def free_port() -> int:
    """Return a port that nobody listens on, and that nobody is given before it is used."""
    return next(port for port in _ports if _is_free(port))


def _own_ports() -> Iterator[int]:
    """Yield ports in turn that are this process' own: the system hands out others, from 32768 on."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = FIRST_PORT + worker % WORKERS * PORTS
    return (first + number % PORTS for number in count(os.getpid()))


_ports = _own_ports()


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return True
    return False


def real_part(name: str) -> str:
    """Return the path of a program that a test needs; skip without it, unless real parts are required."""
    path = shutil.which(name)
    if path is not None:
        return path
    if "REQUIRE_REAL_PARTS" in os.environ:
        pytest.fail(f"{name} is not installed")
    pytest.skip(f"{name} is not installed")


def package(path: str) -> Path:
    """Return a file of what npm brings; skip without it, unless real parts are required."""
    file = PACKAGES / path
    if file.exists():
        return file
    reason = "no packages from npm: `make tests/browser/node_modules` brings them"
    if "REQUIRE_REAL_PARTS" in os.environ:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let those come last that judge by time."""
    items.sort(key=lambda item: ROWS.index(row_of(item)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    """Share the tests out to the processes that run them beside each other."""
    return Sharing(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let a test wait for its turn where others run beside it; the time of the test begins after that."""
    beside = hasattr(item.config, "workerinput")
    with turn(row_of(item)) if beside else nullcontext():
        return (yield)


@pytest.fixture(autouse=True)
def news() -> None:
    """Let what an earlier test has logged be told again, wherever that had it told."""
    structlog.reset_defaults()
    logs.tell_anew()


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """Return the URL of a real, empty redis-server that ends with the test."""
    program, port = real_part("redis-server"), free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with (tmp_path / "redis.log").open("wb") as log:
        server = subprocess.Popen([*command, "--dir", str(tmp_path)], stdout=log, stderr=log)
    with ended(server):
        wait_for_port(port)
        yield f"redis://127.0.0.1:{port}/0"
