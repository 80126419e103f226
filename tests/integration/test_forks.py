"""Forks that tests take for processes of their own: they are what a new Python would be."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.forks import can_start
from tests.processes import Running, module, wait_until

PROBE = """
import gc, json, os, signal, sys, threading, warnings

print("to stderr", file=sys.stderr, flush=True)
print(json.dumps({
    "arguments": sys.argv,
    "environment": dict(os.environ),
    "folder": [os.getcwd(), sys.path[0]],
    "files": {number: os.path.basename(os.readlink(f"/proc/self/fd/{number}"))[:4] for number in "012"},
    "open": len(os.listdir("/proc/self/fd")),
    "garbage": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()],
    "name": [__name__, __spec__.name, sys.modules["__main__"].__spec__.name],
    "parents": [os.getppid(), os.getsid(0) == os.getpid()],
    "signals": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
    "threads": threading.active_count(),
    "warnings": str(warnings.filters),
}))
sys.exit(7)
"""
WAITING = "import signal\nprint('here', flush=True)\nsignal.pause()\n"

pytestmark = pytest.mark.skipif(not can_start({}), reason="nothing forks where Linux is missing, or lines are counted")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which a process is started."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(*, anew: bool) -> tuple[int, list[str]]:
    with module("probe", "one", "--two", environment={"PERSONALIZE_THREE": "3", "TZ": "UTC"}, anew=anew) as run:
        run.process.wait(20)
    return run.process.returncode, run.lines


def test_a_fork_is_what_a_new_python_is(folder: Path) -> None:
    """In all that a module can ask of its process, and in how it ends."""
    (folder / "probe.py").write_text(PROBE)
    status, [error, one] = told(anew=False)
    assert (status, error) == (7, "to stderr\n")
    _, [_, other] = told(anew=True)
    assert json.loads(one) == json.loads(other)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_fork_is_waited_for_and_told_to_end(folder: Path, number: int) -> None:
    """As any process that was started here."""
    (folder / "waiting.py").write_text(WAITING)
    with module("waiting", environment={}) as run:
        wait_until(lambda: run.lines == ["here\n"], "its word")
        assert run.process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            run.process.wait(0.01)
        run.process.send_signal(number)
        assert run.process.wait(20) == -number


def test_forks_do_not_know_of_each_other(folder: Path) -> None:
    """One that has begun says nothing to the next, and ends by itself."""
    (folder / "waiting.py").write_text(WAITING)

    def here(run: Running) -> bool:
        return run.lines == ["here\n"]

    with module("waiting", environment={}) as one:
        with module("waiting", environment={}) as other:
            wait_until(lambda: here(one) and here(other), "both")
        assert other.process.returncode == -signal.SIGTERM
        assert one.process.poll() is None
