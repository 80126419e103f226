"""Several workers as one service: what they count together, and what becomes of one that dies."""

import os
import signal
import socket
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Receive, Scope, Send

from personalize.listening import bind, companion
from tests.conftest import free_port
from tests.doubles import environment
from tests.processes import Running, personalize, wait_for_urls, wait_until

ASK = "/api/recommended-posts?user_id=nobody"


def away(**named: str) -> dict[str, str]:
    """Return settings under which nothing that the service depends on is there."""
    nowhere = f"127.0.0.1:{free_port()}"
    return environment(
        PROFILE_API_URL=f"http://{nowhere}", REDIS_URL=f"redis://{nowhere}", CLIENT_RATE_LIMIT="0", **named
    )


@contextmanager
def serving(*arguments: str, **named: str) -> Iterator[tuple[Running, str]]:
    """Run a service whose dependencies are all away, and yield where it answers."""
    with personalize("serve", "--port", "0", *arguments, environment=away(**named)) as run:
        [url] = wait_for_urls(run, 1)
        wait_until(lambda: get(f"{url}/readyz").status_code == 200, "a service that is ready")
        yield run, url


def get(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False, timeout=10)


def value(url: str, name: str, **labels: str) -> float:
    """Return the sum of a metric's samples that have these labels."""
    families = text_string_to_metric_families(get(f"{url}/metrics").text)
    samples = (sample for family in families for sample in family.samples)
    return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())


def workers(run: Running) -> list[int]:
    """Return the processes that answer, by their ids."""
    children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text("ascii").split()
    return [int(pid) for pid in children if b"spawn_main" in _command(pid)]


def _command(pid: str) -> bytes:
    """Return a process' command; nothing of one that has just ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_workers_count_together_and_a_death_takes_nothing_away() -> None:
    """Whichever is asked tells of all; one that is killed is replaced, and no counter falls."""
    with serving("--workers", "2") as (run, url):
        wait_until(lambda: value(url, "personalize_workers") == 2, "two workers that count")
        for _ in range(20):
            assert get(url + ASK).status_code == 200
        wait_until(lambda: value(url, "personalize_requests_total") == 20, "the counts of both workers")
        first = workers(run)
        os.kill(first[0], signal.SIGKILL)
        seen = [20.0]

        def replaced() -> bool:
            try:
                seen.append(value(url, "personalize_requests_total"))
            except httpx.TransportError:  # it was under way with the one that was killed
                return False
            return len({*workers(run)} - {first[0]}) == 2 and value(url, "personalize_workers") == 2

        wait_until(replaced, "a new worker in place of the dead one")
        wait_until(lambda: run.output.count("service_started") == 3, "a new worker that counts")
        assert value(url, "personalize_workers") == 2
        assert seen == sorted(seen)
        get(url + ASK)
        wait_until(lambda: value(url, "personalize_requests_total") == 21, "the next request's count")
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(25) == 0


@pytest.mark.parametrize("count", ["1", "2"])
def test_gauges_that_nobody_reads_are_shown_by_every_worker(count: str) -> None:
    """What only a look can tell is taken down each second, whoever is asked."""
    with serving("--workers", count) as (_, url):
        wait_until(lambda: value(url, "personalize_tasks") > 0, "the tasks of the event loop")
        wait_until(lambda: value(url, "personalize_event_loop_lag_seconds_count") > 0, "the lag of the event loop")
        assert value(url, "personalize_budget_rate") == 80
        assert value(url, "personalize_build_info") == 1


def test_a_new_service_counts_from_zero(tmp_path: Path) -> None:
    """What an earlier service left in the directory of temporary files is none of its own."""
    for _ in range(2):
        with serving("--workers", "2") as (_, url):
            assert value(url, "personalize_requests_total") == 0
            get(url + ASK)
            wait_until(lambda: value(url, "personalize_requests_total"), "the count of the other worker")
            assert value(url, "personalize_requests_total") == 1


@pytest.mark.parametrize("count", ["1", "2"])
def test_metrics_have_a_port_of_their_own(count: str) -> None:
    """There, and no longer where the pages ask; they tell of all workers."""
    port = free_port()
    with serving("--workers", count, METRICS_PORT=str(port)) as (_, url):
        own = f"http://127.0.0.1:{port}"
        assert get(url + ASK).status_code == 200
        wait_until(lambda: value(own, "personalize_requests_total") == 1, "the request's count")
        assert get(f"{url}/metrics").status_code == 404
        assert get(f"{own}/livez").status_code == 404


def test_a_port_that_is_taken_is_told_by_its_setting() -> None:
    """In one sentence, with the status of a wrong setting."""
    with serving() as (_, url):
        taken = url.rpartition(":")[2]
        with personalize("serve", "--port", "0", environment=away(METRICS_PORT=taken)) as second:
            assert second.process.wait(20) == 2
            wait_until(lambda: "Choose another with PERSONALIZE_METRICS_PORT." in second.output, "the sentence")


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_service_that_leaves_says_so_and_goes_on_answering(count: str) -> None:
    """For the delay; a second signal ends it at once, with status 0."""
    with serving("--workers", count, DRAIN_DELAY="15s") as (run, url):
        run.process.send_signal(signal.SIGTERM)
        wait_until(lambda: get(f"{url}/readyz").status_code == 503, "a service that is not ready any more")
        assert get(f"{url}/readyz").json() == {"status": "draining"}
        assert get(f"{url}/livez").status_code == 200
        assert get(url + ASK).status_code == 200
        again = time.monotonic()
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(20) == 0
        assert time.monotonic() - again < 10  # of the delay's 15


def test_workers_leave_when_their_supervisor_is_gone() -> None:
    """Nobody would replace them, and they would keep the port."""
    with serving("--workers", "2") as (run, url):
        wait_until(lambda: value(url, "personalize_workers") == 2, "two workers")
        left = workers(run)
        run.process.kill()
        wait_until(lambda: not any(map(lives, left)), "the ends of the workers")


def lives(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_hangup_loads_recipes_again_in_every_worker(count: str, tmp_path: Path) -> None:
    """What is broken is told and the last good ones go on; no counter falls, and no process is replaced."""
    recipe = tmp_path / "own.py"
    text = "from personalize import recipe\n\n\n@recipe('own', access='public')\ndef own() -> int:\n    return {}\n"
    recipe.write_text(text.format(1), encoding="utf-8")
    with serving("--workers", count, RECIPES=str(recipe)) as (run, url):
        wait_until(lambda: value(url, "personalize_workers") == int(count), "all workers")
        before = workers(run)
        ask = f"{url}/api/own?user_id=u"
        assert get(ask).json()["data"] == 1

        def reloaded(event: str) -> None:
            run.process.send_signal(signal.SIGHUP)
            wait_until(lambda: run.output.count(f'"event": "{event}"') >= int(count), f"{count} times {event}")

        recipe.write_text(text.format("one +"), encoding="utf-8")
        reloaded("edit_refused")
        assert get(ask).json()["data"] == 1
        recipe.write_text(text.format(2222), encoding="utf-8")
        reloaded("edit_served")
        assert {get(ask).json()["data"] for _ in range(10)} == {2222}
        assert workers(run) == before
        wait_until(lambda: value(url, "personalize_requests_total", recipe="own") == 12, "the counts")


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_service_starts_though_everything_hangs(count: str, tmp_path: Path) -> None:
    """Segment, Redis and feeds that take connections and never answer: it is ready, and answers with defaults."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        hung = {
            "PERSONALIZE_PROFILE_API_URL": f"http://{where}",
            "PERSONALIZE_REDIS_URL": f"redis://{where}",
            "PERSONALIZE_POSTS_URL": f"http://{where}/feed.xml",
            "PERSONALIZE_PRODUCTS_URL": f"http://{where}/products.json",
            "PERSONALIZE_VARIANTS_URL": f"http://{where}/variants.toml",
            "PERSONALIZE_PRIVATE_FEEDS": "true",
        }
        with personalize("serve", "--port", "0", "--workers", count, environment={**environment(), **hung}) as run:
            [url] = wait_for_urls(run, 1)
            wait_until(lambda: get(f"{url}/readyz").status_code == 200, "a service that is ready")
            assert get(url + ASK).json()["degraded"] is True


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_hangup_takes_the_token_from_its_file(count: str, tmp_path: Path) -> None:
    """In every worker: whoever is asked next, Segment is shown the new one."""
    shown: list[str] = []

    async def upstream(scope: Scope, _: Receive, send: Send) -> None:
        if scope["type"] == "http":
            shown.append(dict(scope["headers"])[b"authorization"].decode())
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})

    def basic(token: str) -> str:
        return "Basic " + b64encode(f"{token}:".encode()).decode()

    file = tmp_path / "token"
    file.write_text("first", encoding="utf-8")
    settings = environment(ACCESS_TOKEN="", ACCESS_TOKEN_FILE=str(file), CLIENT_RATE_LIMIT="0")
    with bind("127.0.0.1", 0) as listener, companion(upstream, listener):
        settings["PERSONALIZE_PROFILE_API_URL"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with personalize("serve", "--port", "0", "--workers", count, environment=settings) as run:
            [url] = wait_for_urls(run, 1)
            wait_until(lambda: value(url, "personalize_workers") == int(count), "all workers")
            get(f"{url}/api/recommended-posts?user_id=before")
            assert {*shown} == {basic("first")}
            file.write_text("second", encoding="utf-8")
            run.process.send_signal(signal.SIGHUP)
            wait_until(lambda: run.output.count('"edit_served"') == int(count), "every worker's new token")
            shown.clear()
            for number in range(10):
                get(f"{url}/api/recommended-posts?user_id=after{number}")
            assert {*shown} == {basic("second")}
