"""Load from wrk, on a core of its own."""

import json
import math
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.servers import BROWSER

OFTEN = Path(__file__).with_name("visitors.lua")
ONCE = Path(__file__).with_name("each.lua")
CORE = 1
CONNECTIONS = 64
SPARE_SECONDS = 30
TRIED = 1000
"""Visitors of a trial at most."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a server answered: every answer is a good one."""

    answers: int
    a_second: float


def load(url: str, paths: Sequence[str], *, visitors: int, seconds: float, connections: int = CONNECTIONS) -> float:
    """Return how many answers a second a server gives under load.

    Args:
        url: the server.
        paths: what each visitor asks in turn; the visitor's id is written behind each.
        visitors: how many there are, some of whom come often.
        seconds: how long.
        connections: how many are open at a time.
    """
    return _ran(OFTEN, url, [str(visitors), *paths], seconds, connections).a_second


def once(
    url: str, path: str, *, visitors: int, seconds: float, connections: int = CONNECTIONS, trial: bool = False
) -> Ran:
    """Let one visitor after another ask once, and return how that went.

    Args:
        url: the server.
        path: what is asked; the visitor's id is written behind it.
        visitors: how many there are at most; it is a mistake if they all come, but in a trial, which has fewer.
        seconds: how long.
        connections: how many are open at a time.
        trial: whether nobody will believe the result.
    """
    ran = _ran(ONCE, url, [str(min(visitors, TRIED) if trial else visitors), path], seconds, connections)
    if not trial and ran.answers >= visitors - connections:
        raise RuntimeError(f"{visitors} visitors are too few for {seconds} s of {url}")
    return ran


def _ran(script: Path, url: str, arguments: Sequence[str], seconds: float, connections: int) -> Ran:
    pinned = ["taskset", "--cpu-list", str(CORE)] if shutil.which("taskset") else []
    wrk = ["wrk", "--threads", "1", "--connections", str(connections)]
    times = ["--duration", f"{math.ceil(seconds)}s", "--timeout", f"{SPARE_SECONDS}s"]
    command = [*_cut(seconds), *pinned, *wrk, *times, "--script", str(script), url, "--", *arguments, *_headers()]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + SPARE_SECONDS)
    told = json.loads(ran.stdout.splitlines()[-1])
    if told["failed"]:
        raise RuntimeError(f"{told['failed']} of {told['requests']} requests to {url} failed")
    return Ran(told["requests"], told["requests"] / told["microseconds"] * 1e6)


def _cut(seconds: float) -> list[str]:
    """Return what ends a turn of less than a second: wrk knows whole ones, and tells what it did when interrupted."""
    return ["timeout", "--preserve-status", "--signal", "INT", f"{seconds}s"] if seconds < 1 else []


def _headers() -> list[str]:
    """Return what is sent with each request, as the scripts take it."""
    return [f"{name}: {value}" for name, value in BROWSER.items()]
