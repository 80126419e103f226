"""Answers to visitors who are known already, beside what else could answer them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench import servers, wrk
from tests.bench.rows import Row, compared
from tests.bench.scale import Scale
from tests.bench.servers import PATHS


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
    Rival("starlette_json", "Starlette, JSONResponse, CORSMiddleware", 1.4, 2.0),
    Rival("one_day", "FastAPI, a client a request, a cache in memory", 4.0, 6.0, most=500),
)


def rows(folder: Path, scale: Scale) -> Iterator[Row]:
    """Yield a row for each alternative."""
    posts = servers.posts(folder, 40)
    with servers.upstream() as upstream, servers.service(upstream, posts, servers.FRESH) as ours:
        wrk.load(ours, PATHS, visitors=scale.visitors, seconds=scale.warm_up)
        environment = {
            "BENCH_ANSWERS": str(servers.answers_of(ours, folder)),
            "BENCH_UPSTREAM": upstream,
            "BENCH_POSTS": str(posts),
        }
        for rival in RIVALS:
            visitors = min(scale.visitors, rival.most)
            with servers.rival(rival.name, **environment) as theirs:
                wrk.load(theirs, PATHS, visitors=visitors, seconds=scale.warm_up, connections=8)
                rate = partial(_rate, visitors=visitors, seconds=scale.seconds)
                seen = compared(partial(rate, ours), partial(rate, theirs), scale.rounds)
            work = f"warm answers, {visitors:,} visitors"
            yield Row(work, rival.what, seen.ours, seen.theirs, "/s", "ratio", seen.ratio, ">=", rival.least, rival.aim)


def page(folder: Path, scale: Scale) -> Iterator[Row]:
    """Yield the row of a page of five recipes beside five requests."""
    entries = ("one:recommended-posts", "two:recommended-posts", "three:last-viewed-not-purchased")
    named = ",".join((*entries, "four:last-viewed-not-purchased", "five:audience-content"))
    whole = (f"/api/personalize?recipes={named}&anonymous_id=",)
    single = (*PATHS, *PATHS, "/api/audience-content?anonymous_id=")
    with servers.upstream() as upstream, servers.service(upstream, servers.posts(folder, 40), servers.FRESH) as ours:
        for paths in (whole, single):
            wrk.load(ours, paths, visitors=scale.few, seconds=scale.warm_up)
        milliseconds = partial(_milliseconds, ours, visitors=scale.few, seconds=scale.seconds)
        seen = compared(partial(milliseconds, whole, 1), partial(milliseconds, single, 5), scale.rounds)
    what = "a page of five recipes, warm, over one connection"
    yield Row(what, "five requests", seen.ours, seen.theirs, " ms", "theirs / ours", 1 / seen.ratio, ">=", 2.0, 3.0)


def _rate(url: str, visitors: int, seconds: float) -> float:
    return wrk.load(url, PATHS, visitors=visitors, seconds=seconds)


def _milliseconds(url: str, paths: tuple[str, ...], requests: int, *, visitors: int, seconds: float) -> float:
    """Return what so many requests take, one after another."""
    return 1000 * requests / wrk.load(url, paths, visitors=visitors, seconds=seconds, connections=1)
