"""Fixtures of many tests: real parts, started for a test and ended with it."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from personalize.telemetry import logs
from tests.processes import ended, wait_for_port

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

PACKAGES = Path(__file__).parent / "browser" / "node_modules"


def free_port() -> int:
    """Return a port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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


@pytest.fixture(autouse=True)
def news() -> None:
    """Let what an earlier test has logged be told again."""
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
