"""Metrics: names, labels, and a registry of one's own."""

import pytest
from prometheus_client import CollectorRegistry, Metric

from personalize.telemetry.metrics import LATENCY_BUCKETS, Metrics, bucket_of, no_times

LABELS = {
    "personalize_requests": {"recipe", "outcome"},
    "personalize_http_responses": {"route", "status"},
    "personalize_request_seconds": {"recipe"},
    "personalize_recipe_seconds": {"recipe"},
    "personalize_recipe_failures": {"recipe", "reason"},
    "personalize_trait_mismatches": {"recipe", "parameter"},
    "personalize_cache_reads": {"section", "tier"},
    "personalize_sections": {"section", "outcome"},
    "personalize_memory_bytes": set(),
    "personalize_memory_evictions": set(),
    "personalize_memo_reads": {"outcome"},
    "personalize_memo_bytes": set(),
    "personalize_invalidations_heard": set(),
    "personalize_tasks": set(),
    "personalize_event_loop_lag_seconds": set(),
    "personalize_workers": set(),
    "personalize_build_info": {"version"},
    "personalize_invalidations": {"origin"},
    "personalize_webhook_messages": {"kind", "outcome"},
    "personalize_webhook_waiting": set(),
    "personalize_redis_failures": {"operation"},
    "personalize_redis_skipped": {"operation"},
    "personalize_redis_up": set(),
    "personalize_upstream_requests": {"route", "outcome"},
    "personalize_upstream_seconds": {"route"},
    "personalize_upstream_shed": {"reason"},
    "personalize_budget_asks": {"source", "outcome"},
    "personalize_budget_rate": set(),
    "personalize_upstream_pauses": set(),
    "personalize_upstream_retries": set(),
    "personalize_clients_limited": {"client"},
    "personalize_breaker_open": set(),
    "personalize_breaker_openings": set(),
    "personalize_access_token_rejected": set(),
    "personalize_exposures": {"outcome"},
    "personalize_provider_items": {"provider"},
    "personalize_provider_left_out": {"provider"},
    "personalize_provider_loaded_timestamp_seconds": {"provider"},
    "personalize_provider_failures": {"provider"},
}


def counted(metrics: Metrics) -> dict[str, Metric]:
    """Return every metric by its name, after each has been used once."""
    metrics.requests.labels("r", "fresh").inc()
    metrics.http_responses.labels("/livez", "200").inc()
    metrics.request_seconds.labels("r").observe(0.001)
    metrics.recipe_seconds.labels("r").observe(0.001)
    metrics.recipe_failures.labels("r", "raised").inc()
    metrics.trait_mismatches.labels("r", "limit").inc()
    metrics.cache_reads.labels("traits", "memory").inc()
    metrics.sections.labels("traits", "fresh").inc()
    metrics.memo_reads.labels("hit").inc()
    metrics.build.labels("1.2.3").set(1)
    metrics.invalidations.labels("here").inc()
    metrics.webhook_messages.labels("trait", "written").inc()
    metrics.redis_failures.labels("read").inc()
    metrics.redis_skipped.labels("read").inc()
    metrics.upstream_requests.labels("traits", "ok").inc()
    metrics.upstream_seconds.labels("traits").observe(0.1)
    metrics.upstream_shed.labels("budget").inc()
    metrics.budget_asks.labels("fleet", "granted").inc()
    metrics.clients_limited.labels("address").inc()
    metrics.exposures.labels("sent").inc()
    metrics.provider_items.labels("posts").set(1)
    metrics.provider_left_out.labels("posts").set(1)
    metrics.provider_loaded.labels("posts").set(1)
    metrics.provider_failures.labels("posts").inc()
    return {metric.name: metric for metric in metrics.registry.collect()}


def test_every_metric_has_its_name_and_labels() -> None:
    """Dashboards and alerts rest on these names; each says what it counts."""
    metrics = counted(Metrics(CollectorRegistry()))
    labels = {name: {*metric.samples[0].labels} - {"le"} for name, metric in metrics.items()}
    assert labels == LABELS
    assert all(metric.documentation.endswith(".") for metric in metrics.values())


def test_a_new_registry_counts_anew() -> None:
    """Two services of one process, as in tests, do not count each other's requests."""
    one, other = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    one.requests.labels("r", "fresh").inc()
    labels = {"recipe": "r", "outcome": "fresh"}
    assert one.registry.get_sample_value("personalize_requests_total", labels) == 1
    assert other.registry.get_sample_value("personalize_requests_total", labels) is None


def test_a_registry_takes_the_metrics_once() -> None:
    """Metrics that would double every number are refused."""
    registry = CollectorRegistry()
    Metrics(registry)
    with pytest.raises(ValueError, match="Duplicated"):
        Metrics(registry)


def test_latency_is_read_at_the_deadlines() -> None:
    """The share of answers within 300 ms and 800 ms is a bucket's edge, not an estimate."""
    assert {0.3, 0.8} < {*LATENCY_BUCKETS}
    assert [*LATENCY_BUCKETS] == sorted({*LATENCY_BUCKETS})


def test_times_added_together_count_as_those_added_one_by_one() -> None:
    """On the edges of buckets, between them and beyond the last one; adding nothing changes nothing."""
    seconds = [0.0, *LATENCY_BUCKETS, 0.0007, 0.0007, 0.4, 9.0]
    one_by_one, together = (Metrics(CollectorRegistry()) for _ in range(2))
    buckets = no_times()
    for one in seconds:
        one_by_one.request_seconds.labels("mine").observe(one)
        buckets[bucket_of(one)] += 1
    together.request_seconds.labels("mine").add(buckets, sum(seconds))
    together.request_seconds.labels("mine").add(no_times(), 0.0)
    assert _told(together) == _told(one_by_one)


def _told(metrics: Metrics) -> dict[str, float]:
    """Return the buckets and the sum of what is counted, not since when."""
    samples = [one for family in metrics.request_seconds.collect() for one in family.samples]
    return {f"{one.name} {one.labels}": round(one.value, 9) for one in samples if not one.name.endswith("_created")}


def test_gauges_tell_of_the_application_that_serves() -> None:
    """One that is made beside it changes nothing until it takes over; then nobody asks the one before it."""
    metrics = Metrics(CollectorRegistry())
    first, second = metrics.of_application(), metrics.of_application()
    first.watch(first.breaker_open, lambda: 1)
    first.show()
    second.watch(second.breaker_open, lambda: 0)
    first.sample()
    assert metrics.registry.get_sample_value("personalize_breaker_open") == 1
    second.show()
    first.sample()
    assert metrics.registry.get_sample_value("personalize_breaker_open") == 0
