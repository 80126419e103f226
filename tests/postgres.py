"""A real PostgreSQL of a test's own: no network but a port of this machine, no passwords, gone with the test."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.conftest import free_port
from tests.processes import ended, wait_for_port

USER = "postgres"


def program(name: str) -> str:
    """Return the path of one of its programs, which Debian keeps out of the way; skip without it."""
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    path = str(kept[-1]) if kept else shutil.which(name)
    if path is not None:
        return path
    if "REQUIRE_REAL_PARTS" in os.environ:
        pytest.fail("postgresql is not installed")
    pytest.skip("postgresql is not installed")


@contextmanager
def server() -> Iterator[str]:
    """Run one, and return its URL as SQLAlchemy has it."""
    initdb, postgres, port = program("initdb"), program("postgres"), free_port()
    with TemporaryDirectory(prefix="postgres") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, USER, USER)
        data = folder / "data"
        made = ["-D", str(data), "-U", USER, "--auth=trust", "--no-sync", "--locale=C.UTF-8"]
        subprocess.run(_as_nobody_special([initdb, *made]), check=True, capture_output=True, timeout=60, cwd=folder)
        options = ["-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder), "-c", "fsync=off"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(_as_nobody_special([postgres, *options]), stdout=log, stderr=log, cwd=folder)
        with ended(process):
            wait_for_port(port)
            yield f"postgresql+psycopg://{USER}@127.0.0.1:{port}/postgres"


def _as_nobody_special(command: list[str]) -> list[str]:
    """Return a command as it has to be run: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]
