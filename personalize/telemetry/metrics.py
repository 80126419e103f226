"""Every metric, on a registry that is passed in. Labels are bounded: recipe names, routes and outcome words.

A gauge says how those of several workers are told as one: added up where each has its own part, else the worst of those
that live.
"""

import copy
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Self, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from personalize.errors import ShedReason

LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 2.5)
"""Seconds: fine below the cached answers' few milliseconds, with edges at the 300 ms and 800 ms deadlines."""


def bucket_of(seconds: float) -> int:
    """Return the place of the bucket that a time belongs to; the last one has no edge."""
    return bisect_left(LATENCY_BUCKETS, seconds)


def no_times() -> list[int]:
    """Return how many times there are in each bucket before there is any."""
    return [0] * (len(LATENCY_BUCKETS) + 1)


class Times(Histogram):
    """Times, of which many can be added at once: one by one they would hold up whoever waits meanwhile."""

    def add(self, buckets: Sequence[int], seconds: float) -> None:
        """Add so many times in each bucket, and what they come to together."""
        self._sum.inc(seconds)
        for bucket, times in zip(self._buckets, buckets, strict=True):
            if times:
                bucket.inc(times)


class Metrics:
    """The service's metrics, as attributes.

    Args:
        registry: where they are registered; one a process, a new one a test.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._shown: dict[Gauge, Callable[[], float]] = {}
        self.watched = self._shown
        self.requests = Counter(
            "personalize_requests_total", "Answers, by recipe and outcome.", ["recipe", "outcome"], registry=registry
        )
        self.http_responses = Counter(
            "personalize_http_responses_total",
            "Answers of every route, by its template and the status.",
            ["route", "status"],
            registry=registry,
        )
        self.request_seconds = Times(
            "personalize_request_seconds",
            "Time from a request's parameters to its answer.",
            ["recipe"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.recipe_seconds = Histogram(
            "personalize_recipe_seconds",
            "Time that a recipe's function took, and what it waited for a thread.",
            ["recipe"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.recipe_failures = Counter(
            "personalize_recipe_failures_total",
            "Recipes that raised, overran or returned something else than they declared.",
            ["recipe", "reason"],
            registry=registry,
        )
        self.trait_mismatches = Counter(
            "personalize_trait_mismatches_total",
            "Traits whose value was not of the type that the recipe declared.",
            ["recipe", "parameter"],
            registry=registry,
        )
        self.cache_reads = Counter(
            "personalize_cache_reads_total",
            "Sections of profiles looked up, by the tier that answered: memory, redis or none.",
            ["section", "tier"],
            registry=registry,
        )
        self.sections = Counter(
            "personalize_sections_total",
            "Sections of profiles: what visitors got (fresh, stale, negative, default) and what it took (coalesced "
            "with another read, refreshed behind the visitor's back, shed by the guard).",
            ["section", "outcome"],
            registry=registry,
        )
        self.memory_bytes = Gauge(
            "personalize_memory_bytes",
            "Bytes that profiles take in the in-process tier.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.memory_evictions = Counter(
            "personalize_memory_evictions_total",
            "Sections that the in-process tier let go for want of room.",
            registry=registry,
        )
        self.memo_reads = Counter(
            "personalize_memo_reads_total",
            "Answers looked up by what they rest on, before a recipe's function is called: hit or miss.",
            ["outcome"],
            registry=registry,
        )
        self.memo_bytes = Gauge(
            "personalize_memo_bytes",
            "Bytes that answers take in the memo.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.tasks = Gauge(
            "personalize_tasks",
            "Tasks of the event loop that are under way.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.loop_lag = Histogram(
            "personalize_event_loop_lag_seconds",
            "How much later than it should the event loop took up what was due.",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.workers = Gauge(
            "personalize_workers", "Processes that answer.", multiprocess_mode="livesum", registry=registry
        )
        self.build = Gauge(
            "personalize_build_info",
            "1, with the version that answers.",
            ["version"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.invalidations = Counter(
            "personalize_invalidations_total",
            "Profiles that were forgotten before their time, by where that was said: here, or by another replica.",
            ["origin"],
            registry=registry,
        )
        self.invalidations_heard = Gauge(
            "personalize_invalidations_heard",
            "1 while the process hears which profiles other replicas forget.",
            multiprocess_mode="livemin",
            registry=registry,
        )
        self.webhook_messages = Counter(
            "personalize_webhook_messages_total",
            "Messages pushed by Segment, by what they are about (trait, audience, delete, other) and what became of "
            "them: written, invalidated, repeated, uncached, unread, late, ignored, erased, failed; or of a whole "
            "call: refused, busy.",
            ["kind", "outcome"],
            registry=registry,
        )
        self.webhook_waiting = Gauge(
            "personalize_webhook_waiting",
            "Pushed changes that wait to be worked off.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.redis_failures = Counter(
            "personalize_redis_failures_total", "Redis operations that failed.", ["operation"], registry=registry
        )
        self.redis_skipped = Counter(
            "personalize_redis_skipped_total",
            "Redis operations that were not tried, since the last ones had failed.",
            ["operation"],
            registry=registry,
        )
        self.redis_up = Gauge(
            "personalize_redis_up",
            "1 while Redis answers, 0 while it is left alone, and where there is none.",
            multiprocess_mode="livemin",
            registry=registry,
        )
        self.upstream_requests = Counter(
            "personalize_upstream_requests_total",
            "Calls to the Profile API, by route and outcome.",
            ["route", "outcome"],
            registry=registry,
        )
        self.upstream_seconds = Histogram(
            "personalize_upstream_seconds",
            "Time of a call to the Profile API.",
            ["route"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.upstream_shed = Counter(
            "personalize_upstream_shed_total",
            "Calls to the Profile API that were not sent: budget, paused, breaker, concurrency or unauthorized.",
            ["reason"],
            registry=registry,
        )
        self.budget_asks = Counter(
            "personalize_budget_asks_total",
            "Turns asked of the rate budget, by who answered (fleet: Redis, own: the process alone) and how: granted, "
            "short, paused. What Redis has granted beforehand and nobody sent in time is not among them.",
            ["source", "outcome"],
            registry=registry,
        )
        self.budget_rate = Gauge(
            "personalize_budget_rate",
            "Calls to the Profile API that the whole deployment may send a second.",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.upstream_pauses = Counter(
            "personalize_upstream_pauses_total",
            "Pauses of the whole fleet, since the Profile API had answered 429.",
            registry=registry,
        )
        self.upstream_retries = Counter(
            "personalize_upstream_retries_total",
            "Calls to the Profile API that were sent a second time.",
            registry=registry,
        )
        self.clients_limited = Counter(
            "personalize_clients_limited_total",
            "Requests for which the Profile API was not read, since their client had too many: an address, or an API "
            "key.",
            ["client"],
            registry=registry,
        )
        self.breaker_open = Gauge(
            "personalize_breaker_open",
            "1 while the Profile API is left alone, but for a probe now and then, because it kept failing.",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.breaker_openings = Counter(
            "personalize_breaker_openings_total",
            "Times that the breaker opened, since the Profile API kept failing.",
            registry=registry,
        )
        self.access_token_rejected = Gauge(
            "personalize_access_token_rejected",
            "1 from when Segment refuses the access token until it accepts one.",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.exposures = Counter(
            "personalize_exposures_total",
            "Recommendations that were to be written back to Segment: sent, failed, dropped for want of room, or "
            "untold, since nobody may be named.",
            ["outcome"],
            registry=registry,
        )
        self.provider_items = Gauge(
            "personalize_provider_items",
            "Items that a provider serves.",
            ["provider"],
            multiprocess_mode="livemin",
            registry=registry,
        )
        self.provider_left_out = Gauge(
            "personalize_provider_left_out",
            "Items of a provider's sources that it leaves out: unusable, or beyond the cap.",
            ["provider"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.provider_loaded = Gauge(
            "personalize_provider_loaded_timestamp_seconds",
            "When all of a provider's sources were last loaded, as seconds since the epoch; 0 is not yet.",
            ["provider"],
            multiprocess_mode="livemin",
            registry=registry,
        )
        self.provider_failures = Counter(
            "personalize_provider_failures_total", "Loads of a provider that failed.", ["provider"], registry=registry
        )

    def begin(self, recipes: Iterable[str]) -> None:
        """Count what alerts look for from 0: what is born at 1 would not be seen as an increase."""
        for recipe in recipes:
            for reason in ("raised", "overran", "returned"):
                self.recipe_failures.labels(recipe, reason)
        for reason in get_args(ShedReason):
            self.upstream_shed.labels(reason)
        for client in ("address", "key"):
            self.clients_limited.labels(client)
        for outcome in ("refused", "busy"):
            self.webhook_messages.labels("other", outcome)

    def watch(self, gauge: Gauge, read: Callable[[], float]) -> None:
        """Let a gauge show what it is to read: when it is asked, and to other processes each second.

        From now on; of an application that follows another one, from when it serves.
        """
        self.watched[gauge] = read
        if self.watched is self._shown:
            gauge.set_function(read)

    def of_application(self) -> Self:
        """Return the same metrics for an application that may follow another one: its gauges wait until it serves."""
        its = copy.copy(self)
        its.watched = {}
        return its

    def show(self) -> None:
        """Let the gauges show the application that these are of, in place of the one before it."""
        self._shown.update(self.watched)
        for gauge, read in self.watched.items():
            gauge.set_function(read)
        self.sample()

    def sample(self) -> None:
        """Write down what is shown, for the worker that happens to be asked."""
        for gauge, read in self._shown.items():
            gauge.set(read())
