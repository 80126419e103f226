"""What a visitor takes in the in-process tier."""

import gc
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from personalize.cache import entry
from personalize.cache.memory import Kept, MemoryStore
from personalize.model import AnySection, Event, Section, SectionName
from personalize.telemetry.metrics import Metrics
from tests.bench.rows import Row
from tests.bench.scale import Scale

TRAITS, EVENTS = 30, 50
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def rows(scale: Scale) -> Iterator[Row]:
    """Yield the row of a visitor with thirty traits and fifty events."""
    encoded = sum(len(entry.encode(section)) for section in _sections(0).values())
    taken = _taken(scale.few)
    bound, aim = 1000 + 1.5 * encoded, 512 + 1.1 * encoded
    what = f"memory a cached visitor, {TRAITS} traits and {EVENTS} events"
    yield Row(what, "its encoded sections", taken, encoded, " B", "bytes", taken, "<=", bound, aim)


def _taken(visitors: int) -> float:
    store = MemoryStore(keep=3600, metrics=Metrics(CollectorRegistry()), max_bytes=1 << 30)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(visitors):
        for name, section in _sections(number).items():
            store.write(f"users:{number:032x}", name, Kept(section, b"0123456789abcdef", 0.0))
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / visitors


def _sections(number: int) -> dict[SectionName, AnySection]:
    traits = {f"trait_{one}": f"value {number} of {one}" for one in range(TRAITS)}
    viewed = {"product_id": f"p{number}", "name": "A product", "price": 9.5, "url": "https://shop.example.com/p"}
    events = tuple(Event("Product Viewed", WHEN, viewed, f"message-{number}-{one}") for one in range(EVENTS))
    asked = tuple(traits)
    return {"traits": Section(traits, asked, 1.0), "events": Section(events, ("100 Product Viewed",), 1.0)}
