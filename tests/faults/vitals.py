"""How a service's processes are, as Linux tells it: their memory and their sockets."""

import statistics
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path

KIBIBYTE = 1024


def family(pid: int) -> Iterator[int]:
    """Yield a process and all that it has started."""
    yield pid
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from family(int(child))


def memory(pid: int) -> int:
    """Return the resident bytes of a process and its family."""
    return sum(map(_resident, family(pid)))


def sockets(pid: int) -> int:
    """Return how many sockets a process and its family have open."""
    return sum(map(_sockets, family(pid)))


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return how much a value grows a second, in the middle (Theil-Sen): a few outliers do not move it."""
    slopes = [(later[1] - one[1]) / (later[0] - one[0]) for one, later in combinations(points, 2)]
    return statistics.median(slopes) if slopes else 0.0


def _resident(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * KIBIBYTE
    return 0


def _sockets(pid: int) -> int:
    with suppress(OSError):
        return sum(map(_is_socket, Path(f"/proc/{pid}/fd").iterdir()))
    return 0


def _is_socket(file: Path) -> bool:
    with suppress(OSError):  # closed since it was listed
        return file.readlink().name.startswith("socket:")
    return False
