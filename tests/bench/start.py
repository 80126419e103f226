"""How long the first answer takes after a start."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.bench import servers
from tests.bench.rows import Row, compared
from tests.bench.scale import Scale
from tests.bench.servers import PATHS, SOMEBODY
from tests.processes import PYTHON


def rows(folder: Path, scale: Scale) -> Iterator[Row]:
    """Yield the row of a start."""
    posts = servers.posts(folder, 40)
    with servers.upstream() as upstream:
        if not scale.trial:
            _first_answer(upstream, posts)  # an installed service is compiled, and so is this one from now on
        seen = compared(lambda: _first_answer(upstream, posts), _imports, scale.rounds)
    beside = "python -c 'import starlette, httpx, redis'"
    yield Row("first answer after start", beside, seen.ours, seen.theirs, " s", "ratio", seen.ratio, "<=", 3.0, 2.0)


def _first_answer(upstream: str, posts: Path) -> float:
    started = time.perf_counter()
    with servers.service(upstream, posts) as url:
        httpx.get(f"{url}{PATHS[0]}{SOMEBODY}", trust_env=False).raise_for_status()
        return time.perf_counter() - started


def _imports() -> float:
    started = time.perf_counter()
    subprocess.run([PYTHON, "-c", "import starlette, httpx, redis"], check=True)
    return time.perf_counter() - started
