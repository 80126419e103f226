"""Limits: how often a client may let the Profile API be read."""

import pytest
from prometheus_client import CollectorRegistry

from personalize.telemetry.metrics import Metrics
from personalize.trust.limits import MAX_CLIENTS, Client, Limits
from tests.connections import Clock

ADA, BOB = Client("address", "198.51.100.7"), Client("address", "203.0.113.9")


class Bench:
    """Limits on a clock that a test steps."""

    def __init__(self, rate: float = 50, fleet_size: int = 1) -> None:
        self.clock = Clock()
        self.metrics = Metrics(CollectorRegistry())
        self.limits = Limits(rate, fleet_size=fleet_size, metrics=self.metrics, clock=self.clock)

    def granted(self, asked: int, client: Client = ADA, *, seconds: float = 0.0) -> int:
        """Return how many of so many requests were granted, spread over some seconds."""
        granted = 0
        for _ in range(asked):
            granted += self.limits.take(client) == 0
            self.clock.now += seconds / asked
        return granted

    def limited(self, kind: str) -> float:
        return self.metrics.registry.get_sample_value("personalize_clients_limited_total", {"client": kind}) or 0


@pytest.mark.parametrize("rate", [1, 5, 50])
def test_a_seconds_worth_may_come_at_once_and_then_the_rate(rate: int) -> None:
    """What is refused does not count, so that whoever floods gets as much as whoever does not."""
    bench = Bench(rate)
    assert bench.granted(1000) == rate
    assert bench.granted(10_000, seconds=10.0) == pytest.approx(10 * rate, abs=1)
    assert bench.limited("address") == pytest.approx(11_000 - 11 * rate, abs=1)


def test_clients_are_counted_apart() -> None:
    """A key of the name of an address is somebody else."""
    bench = Bench()
    bench.granted(1000)
    assert bench.granted(10, BOB) == 10
    assert bench.granted(10, Client("key", ADA.name)) == 10
    assert (bench.limited("address"), bench.limited("key")) == (950, 0)


def test_waiting_as_told_is_enough() -> None:
    """And no longer than that."""
    bench = Bench(5)
    bench.granted(5)
    wait = bench.limits.take(ADA)
    assert wait == pytest.approx(1 / 5, abs=1e-3)
    bench.clock.now += wait + 1e-6
    assert bench.limits.take(ADA) == 0


def test_the_processes_of_a_fleet_share_a_rate() -> None:
    """Whoever asks all four of them lets no more be read, but for the burst of each."""
    workers = [Bench(50, fleet_size=4) for _ in range(4)]
    assert [one.granted(100) for one in workers] == [50] * 4
    assert sum(one.granted(1000, seconds=10.0) for one in workers) == pytest.approx(500, abs=4)


def test_without_a_rate_nobody_is_counted() -> None:
    """Nor remembered."""
    bench = Bench(0)
    assert bench.granted(100_000) == 100_000
    assert bench.limited("address") == 0


def test_so_many_clients_are_remembered_and_no_more() -> None:
    """Those that were seen last; who rested is forgotten by itself."""
    bench = Bench()
    bench.granted(1000)
    for number in range(MAX_CLIENTS - 1):
        bench.limits.take(Client("address", f"{number}"))
    assert bench.limits.take(ADA) > 0
    for number in range(MAX_CLIENTS):
        bench.limits.take(Client("address", f"{number}"))
    assert bench.limits.take(ADA) == 0


def test_a_request_counts_once_and_only_if_it_reads() -> None:
    """However much of a page is to be read; who its client is is not even asked before."""
    bench, asked = Bench(2), list[Client]()

    def client() -> Client:
        asked.append(ADA)
        return ADA

    first, second, third, unread = (bench.limits.allowance(client) for _ in range(4))
    assert [first.spend(), first.spend(), second.spend(), third.spend(), third.spend()] == [*[True] * 3, *[False] * 2]
    assert asked == [ADA] * 3
    assert (first.wait, unread.wait) == (0, None)
    assert third.wait == pytest.approx(0.5, abs=1e-3)


def test_what_is_left_is_told_without_spending_it() -> None:
    """Before anything is read, and after: for a request that was granted, whoever spends the rest."""
    bench = Bench(1)
    first, second = (bench.limits.allowance(lambda: ADA) for _ in range(2))
    assert [first.left, second.left, first.spend()] == [True] * 3
    assert [first.left, second.left, second.spend(), second.left] == [True, False, False, False]
    assert bench.limited("address") == 1


def test_where_nobody_is_counted_nobody_is_asked_for() -> None:
    """Who a client is takes some work to know."""
    allowance = Bench(0).limits.allowance(lambda: pytest.fail("asked"))
    assert (allowance.left, allowance.spend(), allowance.wait) == (True, True, 0)
