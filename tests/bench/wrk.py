"""Load from wrk, on a core of its own."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

SCRIPT = Path(__file__).with_name("visitors.lua")
CORE = 1
CONNECTIONS = 64
SPARE_SECONDS = 30


def load(url: str, paths: Sequence[str], *, visitors: int, seconds: int, connections: int = CONNECTIONS) -> float:
    """Return how many answers a second a server gives under load; every one has to be a good one.

    Args:
        url: the server.
        paths: what each visitor asks in turn; the visitor's id is written behind each.
        visitors: how many there are, some of whom come often.
        seconds: how long.
        connections: how many are open at a time.
    """
    pinned = ["taskset", "--cpu-list", str(CORE)] if shutil.which("taskset") else []
    wrk = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    command = [*pinned, *wrk, "--script", str(SCRIPT), url, "--", str(visitors), *paths]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + SPARE_SECONDS)
    told = json.loads(ran.stdout.splitlines()[-1])
    if told["failed"]:
        raise RuntimeError(f"{told['failed']} of {told['requests']} requests to {url} failed")
    return float(told["requests"] / told["microseconds"] * 1e6)
