"""A real haproxy in front of two services, configured as the runbook shows."""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.conftest import free_port, real_part
from tests.documents import examples
from tests.processes import running, wait_for_port, wait_until

STATE = """
frontend state
    bind 127.0.0.1:{port}
    stats enable
    stats uri /
"""


class Balancer:
    """A running haproxy.

    Args:
        url: where pages ask.
        state: where it tells what it thinks of each server.
    """

    def __init__(self, url: str, state: str) -> None:
        self.url = url
        self._state = state

    def serving(self) -> set[str]:
        """Return the names of the servers that it sends requests to."""
        rows = csv.DictReader(httpx.get(f"{self._state}/;csv", trust_env=False, timeout=5).text.splitlines())
        return {row["svname"] for row in rows if row["# pxname"] == "personalize" and row["status"].startswith("UP")}

    def sees(self, *names: str) -> None:
        """Wait until it sends requests to these and no others."""
        wait_until(lambda: self.serving() - {"BACKEND"} == {*names}, f"haproxy to use {names}")


@contextmanager
def balancing(a: int, b: int, folder: Path) -> Iterator[Balancer]:
    """Run the runbook's haproxy before two ports of this machine."""
    [shown] = [one.text for one in examples("deploy/README.md") if one.language == "haproxy"]
    front, state = free_port(), free_port()
    for name, place in (("bind :80", f"bind 127.0.0.1:{front}"), ("a.example.com:8000", f"127.0.0.1:{a}")):
        assert name in shown
        shown = shown.replace(name, place)
    shown = re.sub(r"\bb\.example\.com:8000", f"127.0.0.1:{b}", shown)
    file = folder / "haproxy.cfg"
    file.write_text(shown + STATE.format(port=state), encoding="utf-8")
    with running([real_part("haproxy"), "-db", "-f", str(file)]):
        wait_for_port(front)
        wait_for_port(state)
        yield Balancer(f"http://127.0.0.1:{front}", f"http://127.0.0.1:{state}")
