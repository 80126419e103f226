"""Answers to visitors who are known already, beside what else could answer them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench import servers, wrk
from tests.bench.rows import Row, compared
from tests.bench.servers import PATHS

WORK = "warm answers"


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: `seconds` a turn, `rounds` of turns."""

    visitors: int = 10_000
    seconds: int = 5
    warm_up: int = 30
    rounds: int = 5


@dataclass(frozen=True, slots=True)
class Rival:
    """An alternative, how good we have to be beside it, and for how many visitors at most it can be warmed up."""

    name: str
    what: str
    least: float
    aim: float
    most: int = 1_000_000


RIVALS = (
    Rival("bare", "the same bytes from a bare ASGI function", 0.6, 0.8),
    Rival("starlette_json", "Starlette, JSONResponse and CORSMiddleware", 1.4, 2.0),
    Rival("one_day", "FastAPI, a client a request, a cache in memory", 4.0, 6.0, most=500),
)


def rows(folder: Path, scale: Scale) -> Iterator[Row]:
    """Yield a row for each alternative."""
    posts = servers.posts(folder, 40)
    with servers.upstream() as upstream, servers.service(upstream, posts) as ours:
        wrk.load(ours, PATHS, visitors=scale.visitors, seconds=scale.warm_up)
        environment = {
            "BENCH_ANSWER": str(servers.answer_of(ours, folder)),
            "BENCH_UPSTREAM": upstream,
            "BENCH_POSTS": str(posts),
        }
        for rival in RIVALS:
            visitors = min(scale.visitors, rival.most)
            with servers.rival(rival.name, **environment) as theirs:
                wrk.load(theirs, PATHS, visitors=visitors, seconds=scale.warm_up, connections=8)
                rate = partial(_rate, visitors=visitors, seconds=scale.seconds)
                mine, others, ratio = compared(partial(rate, ours), partial(rate, theirs), scale.rounds)
            yield Row(WORK, rival.what, mine, others, "/s", ratio, rival.least, rival.aim)


def _rate(url: str, visitors: int, seconds: int) -> float:
    return wrk.load(url, PATHS, visitors=visitors, seconds=seconds).rate
