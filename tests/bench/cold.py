"""Answers to visitors whom nobody knows yet, while Segment takes its time."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from tests import redises
from tests.bench import servers
from tests.bench.rows import Row
from tests.bench.scale import Scale
from tests.bench.servers import PATHS

LATENCY = 0.02
"""What the upstream takes, in seconds."""

A_SECOND = 80
"""Visitors who come, whether or not others have been answered."""

CENTILES = ((50, 3.0, 2.0), (99, 10.0, 5.0))
"""What is looked at: of a hundred answers the slowest but so many, and what it may take longer, in milliseconds."""


def rows(folder: Path, scale: Scale) -> Iterator[Row]:
    """Yield a row for the median, and one for the slow ones; the upstream is asked just as the service is."""
    posts = servers.posts(folder, 40)
    with redises.server() as redis, servers.upstream(LATENCY) as upstream:
        named = {"REDIS_URL": redis.url, "HASH_KEY": servers.KEY}
        with servers.service(upstream, posts, named) as ours:
            pairs = [_pair(ours, upstream, turn, scale.seconds) for turn in range(scale.rounds)]
    for place, bound, aim in CENTILES:
        mine, others = ([_centile(one, place) for one in side] for side in zip(*pairs, strict=True))
        slower = statistics.median(a - b for a, b in zip(mine, others, strict=True))
        seen = (statistics.median(mine), statistics.median(others), " ms", "ours - theirs", slower)
        yield Row(f"cold, {A_SECOND} visitors/s, p{place}", "the upstream itself, 20 ms", *seen, "<=", bound, aim)


def _pair(ours: str, upstream: str, turn: int, seconds: float) -> tuple[list[float], list[float]]:
    ids = [f"{turn:08x}-{number:04x}-4000-8000-000000000000" for number in range(int(A_SECOND * seconds))]
    told = "/v1/spaces/bench/collections/users/profiles/anonymous_id:%s/traits?limit=200"
    return tuple(
        asyncio.run(_crowd(url, [path % one for one in ids]))
        for url, path in ((ours, f"{PATHS[0]}%s"), (upstream, told))
    )  # type: ignore[return-value]


async def _crowd(url: str, paths: list[str]) -> list[float]:
    """Ask for paths, each at its time; return what the answers took, in milliseconds."""
    host, port = url.removeprefix("http://").split(":")
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    begun = time.perf_counter() + 0.1

    async def ask(number: int, path: str) -> float:
        await asyncio.sleep(begun + number / A_SECOND - time.perf_counter())
        reader, writer = idle.pop() if idle else await asyncio.open_connection(host, int(port))
        started = time.perf_counter()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{path} was answered {head.decode()}")
        await _rest(reader, head.lower())
        took = time.perf_counter() - started
        idle.append((reader, writer))
        return took * 1000

    try:
        return await asyncio.gather(*(ask(number, path) for number, path in enumerate(paths)))
    finally:
        for _, writer in idle:
            writer.close()


async def _rest(reader: asyncio.StreamReader, head: bytes) -> None:
    """Read a body, of a length that is told or in chunks."""
    if b"content-length: " in head:
        await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
    else:
        await reader.readuntil(b"0\r\n\r\n")


def _centile(milliseconds: list[float], place: int) -> float:
    return statistics.quantiles(milliseconds, n=100)[place - 1]
