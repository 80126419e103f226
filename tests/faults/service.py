"""The service under test and the sandbox that it reads: processes, spoken to from outside only."""

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.faults import load, skewed, visitors
from tests.processes import PYTHON, Running, personalize, running, wait_for_port, wait_for_urls, wait_until
from tests.sites import against


class Numbers:
    """The metrics of a service at one moment.

    Args:
        text: as `/metrics` shows them.
    """

    def __init__(self, text: str) -> None:
        families = text_string_to_metric_families(text)
        self._samples = [sample for family in families for sample in family.samples]

    def __call__(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of a name that have these labels."""
        return sum(
            sample.value for sample in self._samples if sample.name == name and labels.items() <= sample.labels.items()
        )

    def labels(self, name: str, label: str) -> set[str]:
        """Return the values that a label has where its count is not zero."""
        return {sample.labels[label] for sample in self._samples if sample.name == name and sample.value}


_VISITOR = re.compile(r"/user_id%3A((?:known|stranger)-\d+)/")


@dataclass
class Sandbox:
    """A Profile API that misbehaves when told to."""

    url: str
    run: Running
    client: httpx.Client
    since: tuple[int, int] = (0, 0)
    """How many known visitors and strangers had been handed out when it was reset."""

    def misbehave(self, **fault: object) -> None:
        """Let this happen, and nothing else, from now on; see `personalize.sandbox.faults.Fault`."""
        self.behave()
        self.client.post(f"{self.url}/sandbox/faults", json=fault).raise_for_status()

    def behave(self) -> None:
        self.client.delete(f"{self.url}/sandbox/faults").raise_for_status()

    def reset(self) -> None:
        """Have no faults, and count the calls about visitors who are handed out from now on."""
        self.behave()
        self.forget()
        self.since = visitors.known.taken, visitors.strangers.taken

    def forget(self) -> None:
        """Count calls from zero."""
        self.client.delete(f"{self.url}/sandbox/calls").raise_for_status()

    def calls(self, visitor: str | None = None) -> list[dict[str, Any]]:
        """Return the calls that were answered, oldest first, about one visitor or all of this test.

        A slow answer to a service of the test before may have been counted since.
        """
        calls = self.client.get(f"{self.url}/sandbox/calls").json()["calls"]
        return [call for call in calls if call["status"] is not None and self._is_meant(call["path"], visitor)]

    def _is_meant(self, path: str, visitor: str | None) -> bool:
        found = _VISITOR.search(path)
        if found is None or visitor is not None:
            return found is not None and found[1] == visitor
        crowds = zip((visitors.known, visitors.strangers), self.since, strict=True)
        return any(crowd.includes(found[1], since) for crowd, since in crowds)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stand still, with every socket open, while the body runs."""
        with standing_still(self.run.process.pid):
            yield


@dataclass(frozen=True)
class Service:
    """A running service."""

    url: str
    run: Running
    client: httpx.Client

    def get(self, path: str) -> httpx.Response:
        return self.client.get(f"{self.url}{path}")

    def ask(self, visitor: str, recipe: str = "mirror") -> dict[str, Any]:
        """Return the answer about a visitor, which is a 200 and tells of nobody else, whatever is broken."""
        response = self.get(visitors.path(visitor, recipe))
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        assert set(answer["data"]) <= {visitor}
        return answer

    def knows(self, visitor: str) -> bool:
        """Ask, and tell whether the answer was personal."""
        return bool(self.ask(visitor)["personalized"])

    def is_well(self, visitor: str) -> bool:
        """Ask, and tell whether the answer was personal and not degraded."""
        answer = self.ask(visitor)
        return bool(answer["personalized"] and not answer["degraded"])

    def warm_up(self) -> None:
        """Let every worker have answered: it has loaded what it loads on first use, and connected to its neighbours."""
        assert visitors.holds(load.closed(self.url, visitors.paths(visitors.strangers.some(200)), clients=20))

    @property
    def numbers(self) -> Numbers:
        """The metrics; with several workers those of one of them."""
        return Numbers(self.get("/metrics").text)

    @property
    def is_ready(self) -> bool:
        return self.get("/readyz").status_code == 200


@contextmanager
def sandbox_running(client: httpx.Client, seed: Path, *, port: int = 0, rate_limit: float = 0) -> Iterator[Sandbox]:
    """Run a sandbox that knows the known visitors; without a limit of its own unless one is given."""
    options = ["--seed", str(seed), "--rate-limit", str(rate_limit)]
    with personalize("sandbox", "--port", str(port), *options) as run:
        [url] = wait_for_urls(run, 1)
        yield Sandbox(url, run, client)


@contextmanager
def service_running(
    client: httpx.Client, upstream: str, *, port: int = 0, workers: int = 1, clock: Path | None = None, **named: str
) -> Iterator[Service]:
    """Run a service whose recipes are the mirror's, and wait until all its workers are ready.

    Args:
        client: speaks to it.
        upstream: the URL of the Profile API that it reads.
        port: where it listens; 0 is any that is free.
        workers: processes that answer side by side.
        clock: a file that says how wrong its clock is; see `tests.faults.skewed`.
        named: more settings by their names.
    """
    settings = against(
        upstream,
        **{
            "POSTS_URL": "",
            "RECIPES": str(visitors.RECIPES),
            "LOG_FORMAT": "console",
            "DRAIN_DELAY": "0s",
            "CLIENT_RATE_LIMIT": "0",  # one machine asks for all visitors
            **named,
        },
    )
    command = ["serve", "--port", str(port), "--workers", str(workers)]
    skew = [PYTHON, "-m", skewed.__name__, str(clock)]  # before anything is imported
    with personalize(*command, environment=settings) if clock is None else running([*skew, *command], settings) as run:
        [url] = wait_for_urls(run, 1)
        wait_for_port(int(url.rpartition(":")[2]))
        wait_until(lambda: run.output.count("service_started") >= workers, f"{workers} workers in {run.lines!r}")
        yield Service(url, run, client)


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """Stop a process of ours with every socket open, and let it go on."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def moments(calls: list[dict[str, Any]]) -> list[float]:
    """Return when calls came, in order, by the sandbox's clock."""
    return sorted(datetime.fromisoformat(call["at"]).timestamp() for call in calls)


def most_within(calls: list[dict[str, Any]], seconds: float) -> int:
    """Return how many calls at most lie within any window of some seconds."""
    times = moments(calls)
    most = first = 0
    for last, moment in enumerate(times):
        while moment - times[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def until(condition: Any, what: str, seconds: float) -> float:
    """Wait for a condition within a bound, and return after how many seconds it held."""
    begun = time.monotonic()
    wait_until(condition, what, seconds)
    return time.monotonic() - begun
