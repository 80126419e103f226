"""The benchmark programs, with next to nothing to do: that they still run, not how fast anything is."""

import json
from pathlib import Path

import pytest

from tests.conftest import real_part
from tests.processes import PYTHON, running


@pytest.mark.alone
def test_the_sandbox_is_measured() -> None:
    """It prints its table with both numbers."""
    command = [PYTHON, "-m", "tests.bench.sandbox", "--profiles", "20", "--reads", "5"]
    with running(command, environment={"COLUMNS": "100"}) as run:
        assert run.process.wait(50) == 0, run.output
    assert "The sandbox, 20 events of as many people" in run.output
    assert "start with --seed" in run.output
    assert "median of traits?include=" in run.output


@pytest.mark.timeout(300)
def test_the_service_is_measured(tmp_path: Path) -> None:
    """Beside everything it is held to; whoever measures so shortly is not told that it is too slow."""
    real_part("wrk")
    table = tmp_path / "table.json"
    with running([PYTHON, "-m", "tests.bench", "--quick", "--out", str(table)]) as run:
        assert run.process.wait(240) == 0, run.output
    rows = json.loads(table.read_text())["rows"]
    assert [row["beside"] for row in rows] == [
        "the same bytes from a bare ASGI function",
        "Starlette, JSONResponse, CORSMiddleware",
        "FastAPI, a client a request, a cache in memory",
        "five requests",
        "Starlette, one GET of Redis, JSONResponse",
        *["the upstream itself, 20 ms"] * 2,
        *["an ideal cache of the same ages"] * 3,
        "httpx as it comes",
        "10 visitors",
        "10 posts",
        "one worker",
        "python -c 'import starlette, httpx, redis'",
        "its encoded sections",
    ]
    assert [row for row in rows if not (row["ours"] > 0 and row["theirs"] > 0)] == []
