"""Answers of a process that has just started, to visitors whom Redis knows."""

from collections.abc import Iterator
from pathlib import Path

import httpx

from tests import redises
from tests.bench import servers, wrk
from tests.bench.rows import Row, compared
from tests.bench.scale import Scale
from tests.bench.servers import PATHS, SOMEBODY
from tests.redises import Server

WARMING_CONNECTIONS = 16
MANY = 200_000
"""More visitors than can be answered while the caches are warmed."""


def rows(folder: Path, scale: Scale) -> Iterator[Row]:
    """Yield the row of a shared cache. Each of our turns is a process of its own, which knows nobody yet."""
    posts = servers.posts(folder, 40)
    with redises.server() as redis, servers.upstream() as upstream:
        named = {"REDIS_URL": redis.url, "HASH_KEY": servers.KEY}

        def ours() -> float:
            with servers.service(upstream, posts, named) as url:
                ran = wrk.once(url, PATHS[0], visitors=known, seconds=scale.brief, trial=scale.trial)
                _came_from_redis(url, ran.answers, trial=scale.trial)
                return ran.a_second

        def theirs() -> float:
            with servers.rival("redis_get", BENCH_REDIS=redis.url) as url:
                return wrk.once(url, PATHS[0], visitors=known, seconds=scale.brief, trial=scale.trial).a_second

        with servers.service(upstream, posts, named) as url:
            many = {"visitors": MANY, "connections": WARMING_CONNECTIONS}
            warmed = wrk.once(url, PATHS[0], **many, seconds=max(scale.warm_up, 1), trial=scale.trial)
            known = warmed.answers - WARMING_CONNECTIONS
            _keep(redis, httpx.get(f"{url}{PATHS[0]}{SOMEBODY}", trust_env=False).content, known)
        seen = compared(ours, theirs, scale.rounds)
    what, beside = "visitors known to Redis, each once", "Starlette, one GET of Redis, JSONResponse"
    yield Row(what, beside, seen.ours, seen.theirs, "/s", "ratio", seen.ratio, ">=", 1.0, 1.3)


def _keep(redis: Server, answer: bytes, visitors: int) -> None:
    """Keep an answer for each visitor, for the alternative."""
    told = {f"answer:{number:08x}-0000-4000-8000-000000000000": answer for number in range(1, visitors + 1)}
    redis.client.mset(told)


def _came_from_redis(url: str, answers: int, *, trial: bool) -> None:
    """Make sure that it is reads of Redis that were measured, none of which failed; few are enough in a trial."""
    read = servers.metric(url, "cache_reads_total", tier="redis")
    failed = servers.metric(url, "redis_failures_total") + servers.metric(url, "redis_skipped_total")
    if (failed or read < answers) and not trial:
        raise RuntimeError(f"of {answers} answers {read:g} came from Redis, and {failed:g} operations of it failed")
    if not read:
        raise RuntimeError("no answer came from Redis")
