"""Vitals: how the process does, in a few numbers that only rise, for whoever draws them."""

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from prometheus_client.metrics import MetricWrapperBase

from personalize.telemetry.metrics import Metrics


class Vitals:
    """Reads numbers off the metrics.

    Args:
        metrics: where they are counted.
        budget: calls/s that the fleet may make to the Profile API.
    """

    def __init__(self, metrics: Metrics, *, budget: float) -> None:
        self._metrics = metrics
        self._budget = budget
        self._process = uuid4().hex

    def told(self) -> dict[str, Any]:
        """Return the numbers: counts since the start, and `budget` in calls/s.

        `process` is a random word of this start: numbers of another, or of another worker, are not to be compared.
        `reads` are sections looked up, by tier; `seconds` are the counts of answers that took no longer than each
        bound, cumulative as Prometheus has them.
        """
        metrics = self._metrics
        return {
            "process": self._process,
            "answers": _summed(metrics.requests, "outcome"),
            "reads": _summed(metrics.cache_reads, "tier"),
            "seconds": _summed(metrics.request_seconds, "le"),
            "calls": sum(_summed(metrics.upstream_requests, "outcome").values()),
            "shed": sum(_summed(metrics.upstream_shed, "reason").values()),
            "budget": self._budget,
            "breaker_open": bool(_only(metrics.breaker_open)),
        }


def _summed(metric: MetricWrapperBase, label: str) -> dict[str, float]:
    """Return a metric's samples added up by one of its labels."""
    sums: dict[str, float] = {}
    for sample in _samples(metric):
        if label in sample.labels and not sample.name.endswith("_created"):
            sums[sample.labels[label]] = sums.get(sample.labels[label], 0.0) + sample.value
    return sums


def _only(metric: MetricWrapperBase) -> float:
    value: float = next(iter(_samples(metric))).value
    return value


def _samples(metric: MetricWrapperBase) -> Iterable[Any]:
    return (sample for family in metric.collect() for sample in family.samples)
