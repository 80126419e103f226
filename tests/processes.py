"""Real processes of tests: started, waited for within a bound, and ended by their own id."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, TypeVar

import httpx

from tests.forks import Forked, can_start, forked

T = TypeVar("T")

START_SECONDS = 20.0
STOP_SECONDS = 30.0
PYTHON = sys.executable


@dataclass
class Running:
    """A process of ours, and what it has printed so far."""

    process: subprocess.Popen[str] | Forked
    lines: list[str] = field(default_factory=list)

    @property
    def output(self) -> str:
        return "".join(self.lines)


@contextmanager
def personalize(*arguments: str, environment: Mapping[str, str] | None = None, anew: bool = False) -> Iterator[Running]:
    """Run a command of the service with these settings and no others of its name; it leaves without delay.

    Args:
        arguments: the command, as it is typed.
        environment: settings, and whatever else there should be.
        anew: for tests of the start itself: as a new Python, which has imported nothing.
    """
    settings = {"PERSONALIZE_DRAIN_DELAY": "0s", **(environment or {})}
    with module("personalize", *arguments, environment=settings, anew=anew) as run:
        yield run


@contextmanager
def module(name: str, *arguments: str, environment: Mapping[str, str], anew: bool = False) -> Iterator[Running]:
    """Run a module that needs what the service does: as a fork of what has that already, if it can be."""
    if anew or not can_start(environment):
        with running([PYTHON, "-m", name, *arguments], environment) as run:
            yield run
    else:
        with _watched(forked(name, arguments, {**without_settings(), **environment})) as run:
            yield run


@contextmanager
def running(
    command: list[str], environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Iterator[Running]:
    """Run a command and collect what it prints; end it when the body is done."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**without_settings(), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with _watched(process) as run:
        yield run


@contextmanager
def _watched(process: subprocess.Popen[str] | Forked) -> Iterator[Running]:
    run = Running(process)
    assert process.stdout is not None
    reader = threading.Thread(target=_collect, args=(process.stdout, run.lines), daemon=True)
    reader.start()
    try:
        with ended(process):
            yield run
    finally:
        reader.join(STOP_SECONDS)
        process.stdout.close()


@contextmanager
def ended(process: subprocess.Popen[str] | subprocess.Popen[bytes] | Forked) -> Iterator[None]:
    """End a process with the body: as an operator would, and for certain."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def without_settings() -> dict[str, str]:
    """Return this process's environment without any setting of the service, or another way to its code."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PERSONALIZE_", "PYTHONPATH"))}


def wait_until(condition: Callable[[], object], what: str, seconds: float = START_SECONDS) -> None:
    """Wait for a condition that nothing announces, for a bounded time."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, f"waited {seconds:g} s in vain for {what}"
        threading.Event().wait(0.02)


async def until(look: Callable[[], Awaitable[T | None]], what: str, seconds: float = START_SECONDS) -> T:
    """Return what a look finds, once it finds something, for a bounded time."""
    give_up = time.monotonic() + seconds
    while (found := await look()) is None:
        assert time.monotonic() < give_up, f"waited {seconds:g} s in vain for {what}"
        await asyncio.sleep(0.01)
    return found


def wait_for_port(port: int) -> None:
    wait_until(lambda: _answers(port), f"port {port}")


def wait_for_urls(run: Running, count: int) -> list[str]:
    """Return the first distinct URLs on which a starting process says that it listens, once they answer."""
    found: list[str] = []

    def announced() -> bool:
        assert run.process.poll() is None, f"ended with {run.process.returncode}: {run.output}"
        said = "".join(line for line in run.lines if not line.startswith("Open "))  # that is for people
        urls = dict.fromkeys(re.findall(r"http://127\.0\.0\.1:\d+", said))  # what is logged later names others
        found[:] = list(urls)[:count]
        return len(found) >= count

    wait_until(announced, f"{count} URLs in {run.lines!r}")
    for url in found:
        wait_for_port(int(url.rpartition(":")[2]))
    return found


def wait_until_ready(url: str) -> None:
    """Wait until a service says that traffic may come: what it recommends has been read."""
    with httpx.Client(base_url=url, trust_env=False, timeout=5) as client:
        wait_until(lambda: client.get("/readyz").status_code == HTTPStatus.OK, f"{url} to be ready")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _collect(stream: IO[str], lines: list[str]) -> None:
    lines.extend(iter(stream.readline, ""))
