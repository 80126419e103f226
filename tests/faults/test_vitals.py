"""The soak's eyes: a process' memory and sockets, and whether a value grows."""

import os
import subprocess

import pytest

from tests.faults import vitals
from tests.processes import PYTHON, ended

OPENING = """
import socket
for count in map(int, iter(input, "end")):
    opened = [socket.socket() for _ in range(count)]
    print(count, flush=True)
"""


def test_sockets_are_counted() -> None:
    """Those that are open now; of a process that does nothing else, so that none goes meanwhile."""
    child = subprocess.Popen([PYTHON, "-c", OPENING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    with ended(child), child.stdin, child.stdout:
        for count in (2, 5, 0):
            print(count, file=child.stdin, flush=True)
            assert child.stdout.readline() == f"{count}\n"
            assert vitals.sockets(child.pid) == count


def test_a_family_is_a_process_and_what_it_started() -> None:
    """With the memory of all."""
    child = subprocess.Popen([PYTHON, "-c", "input()"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    with ended(child), child.stdin:
        assert {os.getpid(), child.pid} <= set(vitals.family(os.getpid()))
        assert vitals.memory(os.getpid()) > vitals.memory(child.pid) > 0
    assert vitals.memory(child.pid) == vitals.sockets(child.pid) == 0


def test_a_slope_is_not_moved_by_outliers() -> None:
    """Nor is there one in a single moment."""
    points = [(float(second), 100.0 + second / 10) for second in range(20)]
    points[7] = (7.0, 1e9)
    assert vitals.slope(points) == pytest.approx(0.1)
    assert vitals.slope(points[:1]) == 0.0
