"""Alerts and dashboard: each alert fires for its fault, and every expression finds something, in a real Prometheus."""

import itertools
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from personalize.errors import ServerFault, TimedOut
from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics
from personalize.telemetry.pulse import PULSE_SECONDS
from personalize.testing import API_KEY
from tests.conftest import free_port
from tests.documents import ROOT
from tests.faults import visitors
from tests.faults.conftest import Serve
from tests.faults.load import Background, Driver
from tests.faults.redis_server import RedisServer
from tests.faults.service import Sandbox, Service, standing_still
from tests.processes import wait_until
from tests.prometheus import SHIPPED, Prometheus, promtool, watching
from tests.pushes import HOOK, SECRET, signature, told, written
from tests.sites import WRITE_KEY

ALERTS = (SHIPPED / "alerts.yml").read_text(encoding="utf-8")
RUNBOOK = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
DASHBOARD = ROOT / "deploy" / "grafana" / "personalize.json"
VARIABLES = {"$job": "personalize", "$instance": ".*", "$__rate_interval": "30s"}
TROUBLED = """
from typing import Annotated

from personalize import Param, Trait, recipe


@recipe("broken", access="public")
def broken() -> int:
    raise ValueError("on purpose")


@recipe("mistaken", access="public")
def mistaken(name: Annotated[int, Trait("name_of_visitor")] = 0) -> int:
    return name


@recipe("shelf", access="public")
def shelf(name: Annotated[str, Trait("name_of_visitor")] = "") -> list[dict[str, str]]:
    return [{"url": f"https://shop.example.com/{name}"}]
"""
OF_A_BUSY_MACHINE = {"PersonalizeLoopLag", "PersonalizeSlow", "PersonalizeDefaults"}
"""Alerts that fire without a fault where others take the processor."""

RATE = 30
"""Requests a second while nothing else is said."""


def panels() -> list[dict[str, Any]]:
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[str]:
    """Yield what the panels ask, with their variables filled in."""
    for panel in panels():
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            yield expression


@contextmanager
def asked(service: Service, rate: float, recipes: tuple[str, ...] = ("mirror",)) -> Iterator[None]:
    """Let visitors who come for the first time, of whom half are known, ask all the time."""
    crowd = (next(visitors.known if number % 2 else visitors.strangers) for number in itertools.count())
    paths = (visitors.path(one, recipe) for one, recipe in zip(crowd, itertools.cycle(recipes), strict=False))
    driver = Driver(service.url, lambda _: None)
    with Background(lambda: driver.steady(paths, rate=rate, seconds=60)).running():
        yield


@pytest.fixture
def service(sandbox: Sandbox, serve: Serve, redis_server: RedisServer, tmp_path: Path) -> Iterator[Service]:
    """Return a service whose blog is away and whose shop is empty."""
    recipes, products = tmp_path / "troubled.py", tmp_path / "products.json"
    recipes.write_text(TROUBLED, encoding="utf-8")
    products.write_text("[]", encoding="utf-8")
    settings = {
        "RECIPES": f"{visitors.RECIPES},{recipes}",
        "POSTS_URL": f"http://127.0.0.1:{free_port()}/feed.xml",
        "PRODUCTS_URL": str(products),
        "REDIS_URL": redis_server.url,
        "WEBHOOK_SECRET": SECRET,
        "API_KEYS": f"ours:{API_KEY}",
        "RATE_LIMIT": "40",
        "CLIENT_RATE_LIMIT": "60",
        "EXPOSURES": "true",
        "WRITE_KEY": WRITE_KEY,
        "TRACKING_API_URL": sandbox.url,
    }
    with serve(sandbox.url, **settings) as service:
        yield service


@pytest.mark.timeout(400)  # one bad day takes most of a minute
def test_each_alert_fires_for_its_fault(
    service: Service, sandbox: Sandbox, redis_server: RedisServer, client: httpx.Client, tmp_path: Path
) -> None:
    """One bad day: nothing else fires before its time, and then every panel and every rule has something to show."""
    (tmp_path / "prometheus").mkdir()
    with watching(service.url, client, tmp_path / "prometheus") as prometheus:
        with asked(service, RATE):
            fired = prometheus.fires("PersonalizeContentOld", "PersonalizeContentEmpty")
            wait_until(lambda: prometheus.find("job:personalize_requests:rate5m > 10"), "load that is seen")
            assert prometheus.firing() - fired <= OF_A_BUSY_MACHINE
        with asked(service, RATE, ("broken", "mistaken")):
            fired |= prometheus.fires("PersonalizeRecipeFails", "PersonalizeTraitMismatch")
        with asked(service, RATE):
            fired |= _segment_is_away(service, sandbox, prometheus)
        with asked(service, 3 * RATE):
            fired |= prometheus.fires("PersonalizeBudgetSpent", "PersonalizeClientsLimited")
        fired |= prometheus.fires("PersonalizeWebhookRefused", doing=lambda: _pushed(service, b"{}"))
        with asked(service, RATE):
            fired |= _redis_is_away(service, redis_server, prometheus)
        with asked(service, RATE, ("mirror", "shelf")):
            fired |= prometheus.fires("PersonalizeLoopLag", doing=lambda: _stumble(service))
            wait_until(lambda: prometheus.find("rate(personalize_exposures_total[30s])"), "exposures")
            assert [one for one in expressions() if not prometheus.find(one)] == []
            assert [one["name"] for one in prometheus.rules("record") if not prometheus.find(one["name"])] == []
        service.run.process.kill()
        fired |= prometheus.fires("PersonalizeDown")
        assert fired == {one["name"] for one in prometheus.rules("alert")}


def _segment_is_away(service: Service, sandbox: Sandbox, prometheus: Prometheus) -> set[str]:
    sandbox.misbehave(latency_ms=3000)
    fired = prometheus.fires("PersonalizeSlow", "PersonalizeDefaults")
    sandbox.misbehave(status=500)
    fired |= prometheus.fires("PersonalizeBreakerOpen")
    sandbox.behave()
    wait_until(lambda: service.numbers("personalize_breaker_open") == 0, "a breaker that is closed")
    sandbox.misbehave(status=429, retry_after="1")
    fired |= prometheus.fires("PersonalizeRateLimited")
    sandbox.misbehave(status=401)
    fired |= prometheus.fires("PersonalizeTokenRejected")
    sandbox.behave()
    wait_until(lambda: service.numbers("personalize_access_token_rejected") == 0, "a token that is accepted")
    return fired


def _redis_is_away(service: Service, redis_server: RedisServer, prometheus: Prometheus) -> set[str]:
    redis_server.run("ACL", "SETUSER", "default", "resetchannels")
    fired = prometheus.fires("PersonalizeInvalidationsUnheard")
    people = (f"known-{number}" for number in itertools.count())

    def ordered() -> None:
        change = written(told("name_of_visitor", "another", userId=next(people)))
        _pushed(service, change, **signature(change))
        order = {"Authorization": f"Bearer {API_KEY}"}
        service.client.delete(f"{service.url}/api/profiles?user_id=gone", headers=order)

    with redis_server.killed():
        away = ("PersonalizeRedisAway", "PersonalizeErrors", "PersonalizeWebhookStuck")
        return fired | prometheus.fires(*away, doing=ordered)


def _pushed(service: Service, body: bytes, **headers: str) -> None:
    service.client.post(service.url + HOOK, content=body, headers=headers)


def _stumble(service: Service) -> None:
    """Let the service stand still for longer than two beats of its pulse are apart, and be looked at in between."""
    with standing_still(service.run.process.pid):
        threading.Event().wait(1.5 * PULSE_SECONDS)
    threading.Event().wait(1.5)


def test_the_rules_are_right() -> None:
    """As promtool finds: their syntax, and for figures of an hour when each alert fires, and what it says."""
    assert "SUCCESS" in promtool("check", "config", str(SHIPPED / "prometheus.yml"))
    assert "SUCCESS" in promtool("test", "rules", str(ROOT / "tests/data/prometheus/alerts_test.yml"))


def test_promtool_has_nothing_against_the_metrics(service: Service) -> None:
    """Names, units and help are as Prometheus has them."""
    with asked(service, RATE):
        wait_until(lambda: service.numbers("personalize_requests_total") > RATE, "figures")
        assert promtool("check", "metrics", given=service.get("/metrics").text) == ""


def test_every_metric_has_a_panel() -> None:
    """And no panel asks for one that there is not."""
    rules = (SHIPPED / "rules.yml").read_text(encoding="utf-8")
    asked = set(re.findall(r"personalize_\w+", " ".join(expressions()) + rules))
    metrics = {metric.name for metric in Metrics(CollectorRegistry()).registry.collect()}
    assert {metric for metric in metrics if not any(name.startswith(metric) for name in asked)} == set()
    recorded = set(re.findall(r"record: \w+:(\w+):", rules))
    assert {name for name in asked if not any(name.startswith(one) for one in metrics | recorded)} == set()


def test_panels_explain_themselves() -> None:
    """Each has a title of its own and a number of its own."""
    numbers = [panel["id"] for panel in panels()]
    titles = [panel["title"] for panel in panels()]
    assert len({*numbers}) == len({*titles}) == len(numbers)


@pytest.mark.parametrize("alert", sorted(re.findall(r"- alert: (\w+)", ALERTS)))
def test_an_alert_leads_to_its_runbook(alert: str) -> None:
    """Which says what it means, what visitors see, what to do, and how to check."""
    assert f"runbook_url: deploy/README.md#{alert.lower()}\n" in ALERTS
    section = RUNBOOK.split(f"\n### {alert}\n", 1)[1].split("\n### ", 1)[0].split("\n## ", 1)[0]
    assert re.findall(r"^- \*\*(.+?)\*\*", section, re.MULTILINE) == ["Means", "Visitors", "Do", "Check"]


def test_the_runbook_names_what_there_is() -> None:
    """Its metrics, figures, alerts and lines of the log exist."""
    known = {metric.name for metric in Metrics(CollectorRegistry()).registry.collect()}
    rules = (SHIPPED / "rules.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"`(personalize_\w+)", RUNBOOK))
    assert {name for name in named if name.removesuffix("_total") not in known} == set()
    assert set(re.findall(r"`(\w+:personalize_\w+:\w+)", RUNBOOK)) <= set(re.findall(r"record: (\S+)", rules))
    assert set(re.findall(r"\bPersonalize[A-Z]\w+", RUNBOOK)) <= set(re.findall(r"alert: (\w+)", ALERTS))
    alerts = RUNBOOK.split("\n## Alerts\n", 1)[1].split("\n## ", 1)[0]
    events = {word for word in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", alerts) if not word.startswith("personalize")}
    assert {event for event in events if not hasattr(logs, event)} == {ServerFault.label, TimedOut.label}
