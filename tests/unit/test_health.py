"""The health check: what it says of a service, how it ends, and what it does without."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner

from personalize import health, listening
from personalize.cli import app
from tests.conftest import free_port
from tests.processes import PYTHON, without_settings


@pytest.fixture
def statuses() -> list[int]:
    """Return what the service answers next."""
    return []


@pytest.fixture
def url(statuses: list[int]) -> Iterator[str]:
    """Return where a service answers `/readyz`, and nothing else."""

    def readyz(_: Request) -> Response:
        status = statuses.pop()
        return JSONResponse({"status": "ready" if status == 200 else "draining"}, status)

    app = Starlette(routes=[Route("/readyz", readyz)])
    with closing(listening.bind("127.0.0.1", 0)) as listener, listening.companion(app, listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("status", "ends", "says"), [(200, 0, "is ready."), (503, 1, 'is not ready: 503 {"status":"draining"}')]
)
def test_the_command_ends_as_the_service_is(
    status: int, ends: int, says: str, url: str, statuses: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says why, by either way to the command."""
    statuses += [status, status]
    assert health.main([url]) == ends
    assert capsys.readouterr().out == f"{url} {says}\n"
    told = CliRunner().invoke(app, ["health", url])
    assert (told.exit_code, told.output) == (ends, f"{url} {says}\n")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:{free}", "cannot be reached: [Errno 111] Connection refused."),
        ("ftp://127.0.0.1", "is no http(s) URL."),
        ("127.0.0.1:8000", "is no http(s) URL."),
    ],
)
def test_who_cannot_be_asked_is_not_ready(url: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, without a traceback."""
    url = url.format(free=free_port())
    assert health.main([url]) == 1
    assert capsys.readouterr().out == f"{url} {reason}\n"


@pytest.mark.parametrize(("arguments", "ends"), [(["--help"], 0), (["-h"], 0), (["--port", "1"], 2), (["a", "b"], 2)])
def test_the_command_says_how_it_is_used(arguments: list[str], ends: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Also to who writes it in another way."""
    assert health.main(arguments) == ends
    assert capsys.readouterr().out == health.HELP


def test_the_command_starts_without_what_the_service_needs() -> None:
    """A health check every few seconds costs next to nothing: none of the large libraries is imported."""
    probe = (
        "import json, runpy, sys\n"
        f"sys.argv = ['personalize', 'health', 'http://127.0.0.1:{free_port()}']\n"
        "try:\n    runpy.run_module('personalize', run_name='__main__')\n"
        "except SystemExit as ended:\n    print(json.dumps([ended.code, sorted(sys.modules)]))\n"
    )
    ran = subprocess.run(
        [PYTHON, "-c", probe], capture_output=True, text=True, check=True, timeout=30, env=without_settings()
    )
    said, told = ran.stdout.splitlines()
    status, modules = json.loads(told)
    assert "cannot be reached" in said
    assert status == 1
    heavy = {"typer", "rich", "pydantic", "starlette", "uvicorn", "httpx", "aiohttp", "prometheus_client", "structlog"}
    assert not heavy & {*modules}
