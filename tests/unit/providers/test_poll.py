"""Polling keeps the last good items, whatever a source does, and never holds up the start."""

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from personalize.errors import ProviderFailed
from personalize.ports import ItemProvider
from personalize.providers.poll import Loaded, Polled
from personalize.telemetry.metrics import Metrics

Items = list[str]


class Source:
    """Gives or raises its answers in turn; asked for more, says that it is `exhausted` and hangs."""

    def __init__(self, *answers: Items | Loaded[Items] | Exception) -> None:
        self.exhausted = asyncio.Event()
        self._answers = iter(answers)

    async def __call__(self) -> Loaded[Items]:
        """Load, as a provider does."""
        for answer in self._answers:
            if isinstance(answer, Exception):
                raise answer
            return answer if isinstance(answer, Loaded) else Loaded(answer)
        self.exhausted.set()
        await asyncio.Event().wait()
        raise AssertionError


class Naps:
    """Time that passes at once, and is recorded in seconds."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Let other tasks run."""
        self.taken.append(seconds)
        await asyncio.sleep(0)


def polled(source: Source, **options: Any) -> Polled[Items]:
    """Return a provider of the source whose waits pass at once and do not vary."""
    given: dict[str, Any] = {"sleep": Naps(), "random": lambda: 0.5, "clock": lambda: 1234.5} | options
    return Polled("posts", source, [], Metrics(CollectorRegistry()), **given)


async def all_told(provider: Polled[Items], source: Source) -> list[str]:
    """Poll until the source is exhausted, and return the log's events in short."""
    with capture_logs() as events:
        async with provider:
            await source.exhausted.wait()
    return [f"{event['event']}: {event.get('reason', event.get('items'))}" for event in events]


def metric(provider: Polled[Items], name: str) -> float | None:
    """Return one of the provider's metrics as Prometheus would read it."""
    return provider.metrics.registry.get_sample_value(f"personalize_provider_{name}", {"provider": "posts"})


def test_it_is_an_item_provider() -> None:
    """The engine's port is satisfied, and before the first load the items are the empty ones."""
    provider: ItemProvider = polled(Source())
    assert (provider.name, provider.version, provider.items()) == ("posts", 0, [])


async def test_items_are_there_when_it_is_entered() -> None:
    """The service opens its port warm."""
    async with polled(Source(["a"])) as provider:
        assert provider.items() == ["a"]
        assert provider.version == 1


async def test_a_hanging_source_holds_up_the_start_no_longer_than_allowed() -> None:
    """Entering waits for the first attempt only so long, and the attempt goes on."""
    source = Source()
    async with polled(source, first_wait=0.01) as provider:
        assert source.exhausted.is_set()
        assert provider.items() == []


async def test_a_failing_source_does_not_hold_up_the_start() -> None:
    """A first attempt that failed has finished too."""
    async with polled(Source(ProviderFailed("away")), first_wait=60.0) as provider:
        assert provider.items() == []


async def test_the_version_grows_with_other_items_only() -> None:
    """What is known under a version stays true until the items are others."""
    first = ["a"]
    source = Source(first, first, ["b", "c"])
    provider = polled(source)
    told = await all_told(provider, source)
    assert (provider.version, provider.items()) == (2, ["b", "c"])
    assert told == ["provider_loaded: 1", "provider_loaded: 2"]


async def test_the_last_good_items_stay_when_the_source_fails() -> None:
    """A failure is told and counted; the items and their version are as they were."""
    source = Source(["a"], ProviderFailed("https://blog.example answered 503"))
    provider = polled(source)
    told = await all_told(provider, source)
    assert (provider.version, provider.items()) == (1, ["a"])
    assert told == ["provider_loaded: 1", "provider_failed: https://blog.example answered 503"]
    assert metric(provider, "failures_total") == 1
    assert metric(provider, "items") == 1


async def test_a_defect_does_not_end_the_polling() -> None:
    """An exception that nobody foresaw is told by its type alone, and the next load counts."""
    source = Source(["a"], ValueError("words of the document"), ["b"])
    provider = polled(source)
    told = await all_told(provider, source)
    assert provider.items() == ["b"]
    assert told == ["provider_loaded: 1", "provider_failed: unexpected ValueError", "provider_loaded: 1"]
    assert metric(provider, "failures_total") == 1


async def test_a_load_is_measured() -> None:
    """Each load says how many items there are and when it was, also an unchanged one; failures start at 0."""
    times = iter([100.0, 160.0])
    source = Source(["a", "b"], ["a", "b"])
    provider = polled(source, clock=lambda: next(times))
    await all_told(provider, source)
    assert metric(provider, "items") == 2
    assert metric(provider, "loaded_timestamp_seconds") == 160.0
    assert metric(provider, "failures_total") == 0


async def test_before_the_first_load_its_age_is_that_of_the_epoch() -> None:
    """An alert on the age notices a source that never answered."""
    source = Source(ProviderFailed("away"))
    provider = polled(source)
    await all_told(provider, source)
    assert metric(provider, "loaded_timestamp_seconds") == 0
    assert metric(provider, "items") == 0


async def test_a_load_with_problems_counts_and_is_a_failure() -> None:
    """What could be read is served; that the rest could not is told, counted, and tried again soon."""
    naps = Naps()
    source = Source(["a"], Loaded(["b"], ("one is away", "two is away"), left_out=3))
    provider = polled(source, sleep=naps)
    told = await all_told(provider, source)
    assert (provider.version, provider.items()) == (2, ["b"])
    assert told[1:] == ["provider_loaded: 1", "provider_failed: one is away", "provider_failed: two is away"]
    assert metric(provider, "failures_total") == 1
    assert metric(provider, "left_out") == 3
    assert naps.taken == [60.0, 5.0]


async def test_a_load_with_problems_is_no_younger() -> None:
    """The age is that of the last load of all sources."""
    times = iter([100.0])
    source = Source(["a"], Loaded(["a"], ("one is away",)))
    provider = polled(source, clock=lambda: next(times))
    await all_told(provider, source)
    assert metric(provider, "loaded_timestamp_seconds") == 100.0


async def test_a_failing_source_is_asked_sooner_then_ever_less() -> None:
    """After a failure 5 s, doubling up to the interval; after a success the interval, and from the start again."""
    down = ProviderFailed("down")
    naps = Naps()
    source = Source(down, down, down, down, down, down, ["a"], down)
    await all_told(polled(source, sleep=naps), source)
    assert naps.taken == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0, 5.0]


async def test_a_short_interval_holds_for_failures_too() -> None:
    """A retry never waits longer than a success would."""
    naps = Naps()
    source = Source(ProviderFailed("down"), ["a"])
    await all_told(polled(source, interval=1.0, sleep=naps), source)
    assert naps.taken == [1.0, 1.0]


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 54.0), (0.5, 60.0), (1.0, 66.0)])
async def test_replicas_do_not_ask_together(chance: float, seconds: float) -> None:
    """A wait varies by a tenth, up and down."""
    naps = Naps()
    source = Source(["a"])
    await all_told(polled(source, random=lambda: chance, sleep=naps), source)
    assert naps.taken == [pytest.approx(seconds)]


async def test_the_task_is_named_and_ends_with_the_provider() -> None:
    """Whoever lists the running tasks sees what polls, and nothing is left behind."""
    async with polled(Source(["a"])) as provider:
        (task,) = asyncio.all_tasks() - {asyncio.current_task()}
        assert task.get_name() == "provider posts"
    assert task.cancelled()
    assert provider.items() == ["a"]


async def test_a_start_that_is_broken_off_leaves_nothing_behind() -> None:
    """Cancelled while it waits for the first attempt, it stops polling."""
    source = Source()
    start = asyncio.create_task(polled(source, first_wait=60.0).__aenter__())
    await source.exhausted.wait()
    start.cancel()
    await asyncio.wait([start])
    assert start.cancelled()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_leaving_what_was_never_entered_does_nothing() -> None:
    """A provider that was only made has no task to stop."""
    await polled(Source()).__aexit__(None, None, None)
