"""A real Prometheus that watches a service by the rules that are shipped, with their time made short."""

import math
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.conftest import free_port, real_part
from tests.documents import ROOT
from tests.processes import running, wait_until

SHIPPED = ROOT / "deploy" / "prometheus"
HURRY = (
    (r"\[\d+m\]", "[8s]"),
    (r"\bfor: \d+m", "for: 0s"),
    (r"(scrape|evaluation)_interval: 15s", r"\1_interval: 1s"),
)
"""What minutes are in a test. How long each alert really waits, `promtool test rules` shows."""


FIRE_SECONDS = 120.0
"""How long an alert is waited for: a busy machine is scraped late."""


@dataclass(frozen=True)
class Prometheus:
    """A running one."""

    url: str
    client: httpx.Client

    def find(self, expression: str) -> list[dict[str, Any]]:
        """Return what an expression finds now: samples with a value that is a number."""
        found = self._get("query", query=expression)["result"]
        return [one for one in found if not math.isnan(float(one["value"][1]))]

    def rules(self, kind: str) -> list[dict[str, Any]]:
        """Return the rules that it has loaded: `alert` or `record`."""
        return [rule for group in self._get("rules", type=kind)["groups"] for rule in group["rules"]]

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {one["labels"]["alertname"] for one in self._get("alerts")["alerts"] if one["state"] == "firing"}

    def fires(self, *alerts: str, doing: Callable[[], object] = lambda: None) -> set[str]:
        """Wait until alerts have fired, each at some time, and do something again and again meanwhile."""
        missing = {*alerts}

        def fired() -> bool:
            doing()
            missing.difference_update(self.firing())
            return not missing

        wait_until(fired, f"{' and '.join(alerts)} to fire", FIRE_SECONDS)
        return {*alerts}

    def _get(self, what: str, **asked: str) -> Any:
        answer = self.client.get(f"{self.url}/api/v1/{what}", params=asked).json()
        assert answer["status"] == "success", f"{asked}: {answer}"
        return answer["data"]


@contextmanager
def watching(service: str, client: httpx.Client, folder: Path) -> Iterator[Prometheus]:
    """Run a Prometheus that asks a service for its metrics, and wait until it has them.

    Args:
        service: its URL.
        client: asks Prometheus.
        folder: where it may write.
    """
    program, port = real_part("prometheus"), free_port()
    for file in SHIPPED.glob("*.yml"):
        text = file.read_text(encoding="utf-8").replace("personalize:8000", urlsplit(service).netloc)
        for usual, short in HURRY:
            text = re.sub(usual, short, text)
        (folder / file.name).write_text(text, encoding="utf-8")
    command = [program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with running([*command, f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]) as run:
        prometheus = Prometheus(f"http://127.0.0.1:{port}", client)
        wait_until(lambda: answers(prometheus) or run.process.poll(), f"Prometheus: {run.lines!r}")
        wait_until(lambda: prometheus.find("up == 1"), "a first look at the service")
        yield prometheus


def answers(prometheus: Prometheus) -> bool:
    try:
        return prometheus.client.get(f"{prometheus.url}/-/ready").status_code == 200
    except httpx.TransportError:
        return False


def promtool(*arguments: str, given: str | None = None) -> str:
    """Run promtool, which has to be content, and return what it says."""
    command = [real_part("promtool"), *arguments]
    done = subprocess.run(command, check=False, input=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
