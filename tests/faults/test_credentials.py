"""Segment refuses the access token: it is asked seldom, and the service goes on with what it knows."""

import signal
from pathlib import Path

from tests.faults import load, visitors
from tests.faults.conftest import Serve
from tests.faults.service import Sandbox
from tests.processes import wait_until

REVOKED = "revoked-token-never-shown"
OWN = """
from typing import Annotated

from personalize import Items, Posts, recipe


@recipe("own", access="public")
def own(items: Annotated[Posts, Items("posts")]) -> int:
    return len(items)
"""


def test_a_revoked_token_is_not_sent_again_and_again(sandbox: Sandbox, serve: Serve) -> None:
    """One call in 10 s; pages have their defaults, the service stays ready, and a metric says it."""
    names = visitors.known.some(50)
    with serve(sandbox.url, ACCESS_TOKEN=REVOKED) as service:
        assert service.ask(next(visitors.known))["degraded"]  # nobody else asks before this one is refused
        answers = load.steady(service.url, visitors.paths(names), rate=25, seconds=2)
        assert visitors.holds(answers)
        assert all(body["degraded"] and not body["personalized"] for body in answers.bodies)
        assert service.numbers("personalize_access_token_rejected") == 1
        assert service.numbers("personalize_upstream_shed_total", reason="unauthorized") >= 40
        assert service.is_ready
        assert REVOKED not in service.get("/metrics").text + service.run.output
    assert [call["status"] for call in sandbox.calls()] == [401]


def test_a_token_in_a_file_is_read_again(sandbox: Sandbox, serve: Serve, tmp_path: Path) -> None:
    """A new one is used without a restart."""
    name, file = next(visitors.known), tmp_path / "token"
    file.write_text(REVOKED)
    with serve(sandbox.url, ACCESS_TOKEN="", ACCESS_TOKEN_FILE=str(file)) as service:
        assert service.ask(name)["degraded"]
        file.write_text("sandbox-token\n")
        wait_until(lambda: service.is_well(name), "the new token", 15)
        assert service.numbers("personalize_access_token_rejected") == 0
    statuses = [call["status"] for call in sandbox.calls()]
    assert statuses.count(401) <= 2
    assert statuses[-1] == 200


def test_what_is_known_is_served_without_a_token(sandbox: Sandbox, serve: Serve) -> None:
    """The token is revoked while the service runs: what it has read is still there."""
    names = visitors.known.some(5)
    with serve(sandbox.url, CACHE_TTL="500ms", REVALIDATE_TTL="1s") as service:
        assert all(map(service.knows, names))
        sandbox.misbehave(status=401)
        wait_until(lambda: all(service.ask(name)["degraded"] for name in names), "everyone's age")
        assert all(map(service.knows, names))
        assert service.is_ready
    assert sum(call["status"] == 401 for call in sandbox.calls()) == 1


def test_a_refused_reload_leaves_the_gauges_alone(sandbox: Sandbox, serve: Serve, tmp_path: Path) -> None:
    """They go on telling of the application that serves: its token is still refused."""
    own = tmp_path / "own.py"
    own.write_text(OWN, encoding="utf-8")
    with serve(sandbox.url, ACCESS_TOKEN=REVOKED, RECIPES=f"{visitors.RECIPES},{own}") as service:
        assert service.ask(next(visitors.known))["degraded"]
        assert service.numbers("personalize_access_token_rejected") == 1
        own.write_text(OWN.replace("posts", "podcasts"), encoding="utf-8")
        service.run.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "edit_refused" in service.run.output, "the refusal")
        assert service.numbers("personalize_access_token_rejected") == 1
