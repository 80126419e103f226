"""Starts that cost a tenth: a process that has imported the service forks, where a new one would import it again.

There is one such parent beside each process of tests. It imports and does nothing else: it has no event loop, no
thread and no settings, so that a child of it begins where `python -m` would be once all is imported. The child is
handed over to the process of tests that asked for it, which waits for it and signals it as any that it started itself.
"""

import atexit
import ctypes
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

ROOT = Path(__file__).parents[1]
IMPORTED = (
    *(f"personalize.cli.{work}" for work in ("serving", "sandboxing", "inspecting", "purging", "trying", "config")),
    *("httpcore", "h11", "uvicorn.loops.auto", "uvicorn.lifespan.on"),  # what httpx and uvicorn import as they begin
)
"""What commands do, and what they would import for it."""

MESSAGE_BYTES = 128 * 1024
PR_SET_CHILD_SUBREAPER = 36
"""Linux' word for who becomes the parent of processes below whose own parent ends."""

_starting = Lock()


def can_start(environment: Mapping[str, str]) -> bool:
    """Whether a fork is as good as a new Python, which is told these things besides.

    It is not where Python itself is told something, where lines are counted from the first one on, and outside of
    tests, for the soak weighs processes.
    """
    told = any(name.startswith("PYTHON") for name in environment)
    measured = "COVERAGE_PROCESS_CONFIG" in os.environ
    return hasattr(os, "pidfd_open") and "PYTEST_VERSION" in os.environ and not (told or measured)


class Forked:
    """A process, with what tests use of `subprocess.Popen`.

    Args:
        pid: a child of this process.
        output: the file descriptor that it writes to.
    """

    def __init__(self, pid: int, output: int) -> None:
        self.pid = pid
        self.returncode: int | Any = None
        self.stdout = os.fdopen(output)
        self._end = os.pidfd_open(pid)
        self._looking = Lock()

    def poll(self) -> int | None:
        """Return its status, if it has ended."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Return its status once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not in these seconds.
        """
        if (status := self._look(timeout)) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _look(self, seconds: float | None) -> int | None:
        with self._looking:
            if self.returncode is None and select.select([self._end], [], [], seconds)[0]:
                self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
                os.close(self._end)
            status: int | None = self.returncode
            return status


def forked(module: str, arguments: Iterable[str], environment: Mapping[str, str]) -> Forked:
    """Start what `python -m` would, in a session of its own, with both outputs in one."""
    start = {"module": module, "arguments": [*arguments], "environment": {**environment}, "folder": str(Path.cwd())}
    reading, writing = os.pipe()
    with _starting, _adopting():
        parent = _parent()
        socket.send_fds(parent, [json.dumps(start).encode()], [writing])
        os.close(writing)
        pid = int(parent.recv(MESSAGE_BYTES))
        parent.recv(MESSAGE_BYTES)  # it has left its parent
    return Forked(pid, reading)


@contextmanager
def _adopting() -> Iterator[None]:
    """Be meanwhile the one to whom processes come that their parent leaves behind."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@cache
def _parent() -> socket.socket:
    """Return the line to the process that forks, which ends when the line does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        parent = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    atexit.register(parent.wait)
    atexit.register(ours.close)  # before that
    return ours


def _next_start(line: socket.socket) -> str:
    """Return, in a process of its own for each start that is asked for, the module that is to run there."""
    while True:
        message, outputs, _, _ = socket.recv_fds(line, MESSAGE_BYTES, 1)
        if not message:
            sys.exit()
        waiting, handing = os.pipe()
        if not (middle := os.fork()):
            break
        os.waitpid(middle, 0)
        line.send(b"left")
        for file in (*outputs, handing, waiting):
            os.close(file)
    if child := os.fork():
        line.send(b"%d" % child)
        os._exit(0)
    line.close()
    os.close(handing)
    os.read(waiting, 1)  # it begins when it has been handed over
    os.close(waiting)
    return _become(**json.loads(message), output=outputs[0])


def _become(module: str, arguments: list[str], environment: dict[str, str], folder: str, output: int) -> str:
    """Take what a new process is given, and return its module."""
    os.setsid()
    for standard in (sys.stdout, sys.stderr):
        os.dup2(output, standard.fileno())
    os.close(output)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.path[0] = folder
    sys.argv[1:] = arguments
    return module


def main() -> None:
    """Import, and be whatever is asked for."""
    gc.disable()  # what is imported stays
    for module in IMPORTED:
        import_module(module)
    gc.enable()
    runpy.run_module(_next_start(socket.socket(fileno=int(sys.argv[1]))), run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
