"""Runs the service with a wall clock that is wrong by the seconds in a file: `python skewed.py FILE serve …`.

The file holds one number, and is read again and again, so that a clock can step while the service runs.
"""

import mmap
import runpy
import struct
import sys
import time
from pathlib import Path

SECONDS = struct.Struct("d")


def step(file: Path, seconds: float) -> None:
    """Let a clock be so far ahead of the right time, or behind it."""
    with file.open("r+b" if file.exists() else "wb") as handle:
        handle.write(SECONDS.pack(seconds))


def main() -> None:
    """Replace the clock, then be the service."""
    _, file, *arguments = sys.argv
    with Path(file).open("rb") as handle:
        ahead = mmap.mmap(handle.fileno(), SECONDS.size, access=mmap.ACCESS_READ)
    right_time = time.time
    time.time = lambda: right_time() + SECONDS.unpack(ahead[:])[0]
    sys.argv = ["personalize", *arguments]
    runpy.run_module("personalize", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
