"""Redis fails over, or moves its slots: pages do not notice, and the replicas share again soon."""

from functools import partial

from tests import redises
from tests.faults import load, visitors
from tests.faults.conftest import Serve
from tests.faults.load import meanwhile
from tests.faults.service import Sandbox, Service, until
from tests.processes import wait_until
from tests.redises import needs_redis

pytestmark = needs_redis

BACK_SECONDS = 5.0
SLACK_SECONDS = 5.0
"""For a machine on which all the servers share two cores."""

RATE = 40.0


def is_shared(service: Service) -> bool:
    """Ask about somebody new, and tell whether Redis is there."""
    service.ask(next(visitors.strangers))
    return service.numbers("personalize_redis_up") == 1


def test_a_failover_costs_no_page(sandbox: Sandbox, serve: Serve) -> None:
    """The master dies under load; its replica takes over, and what is read is shared there."""
    with redises.sentinels() as guarded, serve(sandbox.url, workers=2, REDIS_URL=guarded.url) as service:
        old, paths = guarded.master, visitors.paths(visitors.known.some(480))
        with meanwhile(lambda: load.steady(service.url, paths, rate=RATE, seconds=12)) as answers:
            wait_until(lambda: old.client.dbsize() > 0, "something in the master")
            old.stop()
            wait_until(lambda: guarded.master is not old, "a new master")
            new, before = guarded.master, guarded.master.client.dbsize()
            shared = partial(_grows, service, new, before)
            assert until(shared, "what is read at the new master", 20) < BACK_SECONDS + SLACK_SECONDS
        assert visitors.holds(answers.result())
        assert not any(body["degraded"] for body in answers.result().bodies)
        assert "Traceback" not in service.run.output


def test_moving_slots_cost_no_page(sandbox: Sandbox, serve: Serve) -> None:
    """While keys are on their way (ASK) and once they have arrived (MOVED)."""
    with redises.cluster() as cluster, serve(sandbox.url, workers=2, REDIS_URL=cluster.url) as service:
        names = visitors.known.some(20)
        wait_until(lambda: all(map(service.is_well, names)) and is_shared(service), "the Cluster to be used")
        paths = visitors.paths([*names, *visitors.known.some(20)] * 6)
        with meanwhile(lambda: load.steady(service.url, paths, rate=RATE, seconds=6)) as answers:
            source, target = cluster.nodes[:2]
            for key in source.client.keys("personalize:*"):
                cluster.move(int(source.run("CLUSTER", "KEYSLOT", key)), target)
            assert until(lambda: is_shared(service), "the Cluster", 20) < BACK_SECONDS + SLACK_SECONDS
        assert visitors.holds(answers.result())
        assert not any(body["degraded"] for body in answers.result().bodies)
        assert "Traceback" not in service.run.output


def _grows(service: Service, server: redises.Server, before: int) -> bool:
    service.ask(next(visitors.strangers))
    return server.client.dbsize() > before
