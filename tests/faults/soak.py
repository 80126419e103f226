"""A long run under random faults: `python -m tests.faults.soak --minutes 10`.

Prints a line each ten seconds, and a verdict at the end that is also its exit status: memory does not grow, sockets are
given back, nobody sees another visitor's data, and no dependency's fault becomes a 5xx.
"""

import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import httpx
import typer

from tests.faults import load, visitors, vitals
from tests.faults.load import Answer, Answers, Background, Driver
from tests.faults.proxy import proxied
from tests.faults.redis_server import RedisServer
from tests.faults.service import Service, sandbox_running, service_running
from tests.faults.troubles import Neighbours, Trouble

WORKERS = 2
LINE_SECONDS = 10.0
ENOUGH_SECONDS = 180.0
"""What has to be watched after that to tell growth from noise."""

GROWTH = 0.01
GROWTH_SECONDS = 600.0
"""Memory may grow by one hundredth in ten minutes."""

SPARE = 5
SETTLE_SECONDS = 100.0
"""What kept connections have to be closed, which are kept for a minute."""

BRIEF_SECONDS = (2.0, 3.0)
TROUBLE_SECONDS = (2.0, 8.0)
CALM_SECONDS = (1.0, 6.0)
EXPECTED = ("access_token_rejected",)
"""What the log tells of as an error, and is one of Segment's here."""

FOR_EVER = 1e9
CROWD = 1500
"""Known visitors, and as many strangers, who come again and again."""

RECIPES = ("mirror", "echo")
TIMES = 4
"""How often each of the crowd asks each recipe at the beginning, so that most have asked both workers."""

CLIENTS = 20
ACQUAINT_SECONDS = 180.0
"""Twice what that takes on a busy machine: the budget lets some 40 visitors a second be read."""

SETTINGS = {"CACHE_TTL": "5s", "REVALIDATE_TTL": "15s", "STALE_TTL": "60s", "NEGATIVE_TTL": "5s"}
"""Short ages, so that every kind of answer is given all the time."""


@dataclass
class History:
    """Every answer, checked as it comes."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[Answer] = field(default_factory=list)
    recent: deque[Answer] = field(default_factory=lambda: deque(maxlen=5000))

    def note(self, answer: Answer) -> None:
        """Keep what an answer shows."""
        self.recent.append(answer)
        self.counts[_kind(answer)] += 1
        if answer.status != 200 or not visitors.is_own(answer):
            self.wrong.append(answer)


@dataclass(frozen=True)
class Moment:
    """How the service was at one moment; `at` is in seconds since the start."""

    at: float
    memory: int
    sockets: int
    tasks: int


class Soak:
    """One run.

    Args:
        service: what is watched.
        neighbours: what goes wrong.
        seconds: how long.
        rate: requests a second.
    """

    def __init__(self, service: Service, neighbours: Neighbours, *, seconds: float, rate: float) -> None:
        self._service = service
        self._neighbours = neighbours
        self._seconds = seconds
        self._rate = rate
        self._history = History()
        self._moments: list[Moment] = []
        self._trouble = "calm"
        self._begun = time.monotonic()
        self._warm = float("inf")

    def run(self) -> list[str]:
        """Return what is wrong, which is nothing if all is well."""
        self._service.warm_up()
        self._acquaint()
        with self._loaded():
            self._wait(LINE_SECONDS)  # pools have their usual size
        before = self._settled(lambda _: True)
        typer.echo(f"{before.sockets} sockets and {before.tasks} tasks at rest")
        self._begun = time.monotonic()
        self._moments.clear()  # they were of another time
        with self._loaded():
            self._suffer()
        with self._loaded():
            self._wait(LINE_SECONDS)  # and have it again
        after = self._settled(lambda now: not list(_leaks(before, now)))
        typer.echo(f"{after.sockets} sockets and {after.tasks} tasks at rest")
        return list(self._faults(before, after))

    def _acquaint(self) -> None:
        """Let all workers get to know the crowd while nothing is wrong: they then keep as much of it as they ever will.

        Among faults that takes longer than the run, and what fills would look like what leaks.
        """
        paths = (visitors.path(f"known-{number}", recipe) for number in range(CROWD) for recipe in RECIPES * TIMES)
        assert visitors.holds(load.closed(self._service.url, paths, clients=CLIENTS, seconds=ACQUAINT_SECONDS))

    @contextmanager
    def _loaded(self) -> Iterator[None]:
        driver = Driver(self._service.url, self._history.note)
        with Background(lambda: driver.steady(_requests(), rate=self._rate, seconds=FOR_EVER)).running():
            yield

    def _suffer(self) -> None:
        """Have every trouble once, then one after another until the time is up, and print how it goes.

        In the first round memory may still grow: pools fill, and each trouble loads its code and has as many requests
        wait as it ever will.
        """
        troubles = list(self._neighbours.troubles().items())
        for name, trouble in random.sample(troubles, len(troubles)):
            self._have(name, trouble, BRIEF_SECONDS)
        self._warm = self._elapsed
        while self._elapsed < self._seconds:
            self._have(*random.choice(troubles), TROUBLE_SECONDS)
            self._wait(random.uniform(*CALM_SECONDS))

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._begun

    def _have(self, name: str, trouble: Trouble, seconds: tuple[float, float]) -> None:
        self._trouble = name
        with trouble():
            self._wait(random.uniform(*seconds))
        self._trouble = "calm"

    def _wait(self, seconds: float) -> None:
        """Let time pass, and print a line whenever one is due."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            time.sleep(min(0.2, end - now))
            if not self._moments or self._moments[-1].at + LINE_SECONDS <= now - self._begun:
                self._tell()

    def _tell(self) -> None:
        moment = self._look()
        self._moments.append(moment)
        recent = Answers(self._history.recent.copy())
        self._history.recent.clear()
        outcomes = " ".join(f"{kind}={count}" for kind, count in sorted(Counter(map(_kind, recent)).items()))
        slowest = f"{1000 * recent.percentile(99):.0f}" if recent else "-"
        typer.echo(
            f"{moment.at:6.0f} s  {moment.memory / 2**20:7.1f} MiB  {moment.sockets:4} sockets  {moment.tasks:4} tasks"
            f"  p99 {slowest:>5} ms  {outcomes}  [{self._trouble}]",
        )

    def _look(self) -> Moment:
        pid = self._service.run.process.pid
        tasks = int(self._service.numbers("personalize_tasks"))
        return Moment(self._elapsed, vitals.memory(pid), vitals.sockets(pid), tasks)

    def _settled(self, enough: Callable[[Moment], bool]) -> Moment:
        """Return how the service is at rest: once that is enough, else after a time."""
        end = time.monotonic() + SETTLE_SECONDS
        while True:
            time.sleep(2)
            moment = self._look()
            if enough(moment) or time.monotonic() > end:
                return moment

    def _faults(self, before: Moment, after: Moment) -> Iterator[str]:
        if self._service.run.process.poll() is not None:
            yield "the service ended"
        if self._history.wrong:
            kinds = {_kind(answer): answer for answer in self._history.wrong}
            yield f"{len(self._history.wrong)} answers are wrong, for example {list(kinds.values())}"
        grown = self._growth()
        if grown is not None and grown > GROWTH:
            yield f"memory grows by {grown:.2%} in ten minutes, more than {GROWTH:.0%}"
        yield from _leaks(before, after)
        defects = [line for line in self._service.run.lines if _is_defect(line)]
        if defects:
            yield f"the log tells of {len(defects)} defects, for example: {defects[0]}"

    def _growth(self) -> float | None:
        """Return by which part memory grows in ten minutes; `None` if too little was watched to know."""
        watched = [(one.at, float(one.memory)) for one in self._moments if one.at > self._warm]
        if not watched or watched[-1][0] - watched[0][0] < ENOUGH_SECONDS:
            typer.echo("too short a run to judge memory")
            return None
        grown = vitals.slope(watched) * GROWTH_SECONDS / watched[0][1]
        typer.echo(f"memory grows by {grown:.2%} in ten minutes")
        return grown


def _leaks(before: Moment, after: Moment) -> Iterator[str]:
    """Yield what a service at rest has more of than before; of fewer sockets the troubles were the cause."""
    if after.sockets - before.sockets > SPARE:
        yield f"{before.sockets} sockets became {after.sockets}"
    if after.tasks - before.tasks > SPARE:
        yield f"{before.tasks} tasks became {after.tasks}"


def _is_defect(line: str) -> bool:
    """Whether a line of the log tells of a fault of ours."""
    return "Traceback" in line or ("[error" in line and not any(one in line for one in EXPECTED))


def _requests() -> Iterator[str]:
    """Yield paths: half of them about known visitors, in an order that differs."""
    crowd = [f"{kind}-{number}" for kind in ("known", "stranger") for number in range(CROWD)]
    while True:
        random.shuffle(crowd)
        for visitor, recipe in zip(crowd, cycle(("mirror", "mirror", "echo")), strict=False):
            yield visitors.path(visitor, recipe)


def _kind(answer: Answer) -> str:
    if answer.status != 200:
        return f"status-{answer.status}"
    content = answer.content
    return ("personal" if content["personalized"] else "default") + ("-degraded" if content["degraded"] else "")


def main(
    minutes: Annotated[float, typer.Option(help="How long there are faults.")] = 10.0,
    rate: Annotated[float, typer.Option(help="Requests a second.")] = 100.0,
    seed: Annotated[int | None, typer.Option(help="Repeats an order of faults.")] = None,
) -> None:
    """Watch a service under load while its neighbours fail at random."""
    chosen = random.randrange(2**32) if seed is None else seed
    random.seed(chosen)
    typer.echo(f"{minutes:g} minutes of faults at {rate:g} requests/s, --seed {chosen}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        client = stack.enter_context(httpx.Client(timeout=15, trust_env=False))
        sandbox = stack.enter_context(sandbox_running(client, visitors.written(folder / "visitors.jsonl")))
        redis = stack.enter_context(RedisServer(folder).running())
        to_sandbox, upstream = stack.enter_context(proxied(sandbox.url))
        to_redis, redis_url = stack.enter_context(proxied(redis.url))
        settings = {**SETTINGS, "REDIS_URL": redis_url}
        service = stack.enter_context(
            service_running(client, upstream, port=0, workers=WORKERS, clock=None, **settings)
        )
        neighbours = Neighbours(sandbox, to_sandbox, redis, to_redis)
        wrong = Soak(service, neighbours, seconds=60 * minutes, rate=rate).run()
    for one in wrong or ["All is well."]:
        typer.echo(one)
    raise typer.Exit(1 if wrong else 0)


if __name__ == "__main__":
    typer.run(main)
