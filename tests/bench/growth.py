"""How the cost of an answer grows: with visitors, with posts; and how much a second process adds."""

from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeAlias

from tests.bench import servers, wrk
from tests.bench.rows import Row, compared
from tests.bench.scale import Scale
from tests.bench.servers import PATHS, SOMEBODY

UNHEARD = 50_000
"""More requests than can be answered in a turn."""

_turns = count()

Loaded: TypeAlias = tuple[str, int]
"""A server, and how many visitors come to it."""


def rows(folder: Path, scale: Scale) -> Iterator[Row]:
    """Yield the rows of more visitors, of more posts, and of a second process."""
    yield from _visitors(folder, scale)
    yield from _posts(folder, scale)
    yield _processes(folder, scale)


def _visitors(folder: Path, scale: Scale) -> Iterator[Row]:
    """Each crowd has a process of its own, which is warmed up as long; the rest of a larger one comes cold."""
    few, *more = scale.crowds
    posts = servers.posts(folder, 40)
    with servers.upstream() as upstream, servers.service(upstream, posts, servers.FRESH) as beside:
        _load(beside, few, scale.warm_up)
        for many in more:
            with servers.service(upstream, posts, servers.FRESH) as ours:
                _load(ours, many, scale.warm_up)
                numbers = _numbers((ours, many), (beside, few), scale)
            yield Row(f"{many:,} visitors", f"{few:,} visitors", *numbers, ">=", 0.5, 0.9)


def _posts(folder: Path, scale: Scale) -> Iterator[Row]:
    """Each request says for itself which post is left out, so that the recipe runs for it: nothing is remembered."""
    few, *more = scale.posts
    with servers.upstream() as upstream, servers.service(upstream, servers.posts(folder, few)) as beside:
        for many in more:
            with servers.service(upstream, servers.posts(folder, many)) as ours:
                for url in () if scale.trial else (ours, beside):
                    _run(url, scale)
                seen = compared(partial(_run, ours, scale), partial(_run, beside, scale), scale.rounds)
            numbers = (seen.ours, seen.theirs, "/s", "ratio", seen.ratio)
            yield Row(f"{many:,} posts, the recipe run each time", f"{few} posts", *numbers, ">=", 0.8, 0.95)


def _run(url: str, scale: Scale) -> float:
    """Return how many answers a second a server gives of which none was made before."""
    before = servers.metric(url, "memo_reads_total", outcome="miss")
    path = f"{PATHS[0]}{SOMEBODY}&exclude=https://blog.example.com/{next(_turns)}-"
    ran = wrk.once(url, path, visitors=UNHEARD, seconds=scale.brief, trial=scale.trial)
    missed = servers.metric(url, "memo_reads_total", outcome="miss") - before
    if missed < ran.answers:
        raise RuntimeError(f"the recipe ran for {missed:g} of {ran.answers} answers only")
    return ran.a_second


def _processes(folder: Path, scale: Scale) -> Row:
    """Both on all cores, which they share with the load: what is left of a second one is what there is to gain."""
    posts = servers.posts(folder, 40)
    with (
        servers.upstream() as upstream,
        servers.service(upstream, posts, servers.FRESH, workers=2, core=None) as two,
        servers.service(upstream, posts, servers.FRESH, core=None) as one,
    ):
        for url in (two, one):
            _load(url, scale.few, scale.warm_up)
        numbers = _numbers((two, scale.few), (one, scale.few), scale)
    return Row("two workers, with the load on two cores", "one worker", *numbers, ">=", 1.0, 1.3)


def _numbers(ours: Loaded, theirs: Loaded, scale: Scale) -> tuple[float, float, str, str, float]:
    """Return the middle of a row: what both give, and their ratio."""
    rates = [partial(_load, url, visitors, scale.seconds) for url, visitors in (ours, theirs)]
    seen = compared(rates[0], rates[1], scale.rounds)
    return seen.ours, seen.theirs, "/s", "ratio", seen.ratio


def _load(url: str, visitors: int, seconds: float) -> float:
    return wrk.load(url, PATHS, visitors=visitors, seconds=seconds)
