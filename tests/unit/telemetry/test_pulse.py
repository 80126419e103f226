"""The pulse: what it takes down, and how often."""

import asyncio

from prometheus_client import CollectorRegistry

from personalize.telemetry import refusals
from personalize.telemetry.metrics import Metrics
from personalize.telemetry.pulse import PULSE_SECONDS, Pulse


class Beats:
    """Waits that pass when the test says so."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[float] = asyncio.Queue()
        self.over: asyncio.Queue[None] = asyncio.Queue()

    async def __call__(self, seconds: float) -> None:
        """Wait as long as the test wants."""
        await self.asked.put(seconds)
        await self.over.get()


async def test_each_beat_takes_down_the_lag_and_what_is_watched() -> None:
    """A gauge that nobody asks is written down for the others, and the loop's lag is counted."""
    metrics, beats, looks = Metrics(CollectorRegistry()), Beats(), list[int]()

    def look() -> int:
        looks.append(1)
        return len(looks)

    metrics.watch(metrics.memory_bytes, look)
    pulse = Pulse(metrics, version="1.2.3", wait=beats)
    async with pulse.beating():
        assert await beats.asked.get() == PULSE_SECONDS
        before = len(looks)
        beats.over.put_nowait(None)
        assert await beats.asked.get() == PULSE_SECONDS
        assert len(looks) == before + 1
        assert metrics.registry.get_sample_value("personalize_event_loop_lag_seconds_count") == 1
    shown = metrics.registry.get_sample_value
    assert shown("personalize_workers") == 1
    assert shown("personalize_build_info", {"version": "1.2.3"}) == 1


async def test_refusals_are_counted_with_the_next_beat() -> None:
    """Once each, as answers of no route."""
    metrics, beats = Metrics(CollectorRegistry()), Beats()
    async with Pulse(metrics, version="1", wait=beats).beating():
        await beats.asked.get()
        refusals.taken()
        refusals.refused(431)
        for _ in range(2):
            beats.over.put_nowait(None)
            await beats.asked.get()
    labels = {"route": "other", "status": "431"}
    assert metrics.registry.get_sample_value("personalize_http_responses_total", labels) == 1


async def test_the_pulse_ends_with_its_body() -> None:
    """Nothing of it is left in the loop."""
    before = asyncio.all_tasks()
    async with Pulse(Metrics(CollectorRegistry()), version="1").beating():
        assert len(asyncio.all_tasks() - before) == 1
    assert asyncio.all_tasks() == before
