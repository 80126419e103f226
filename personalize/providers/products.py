"""The provider `products`: the products of one or more catalogues, polled."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import httpx

from personalize.model import Product, Products
from personalize.providers.batch import Batch
from personalize.providers.catalog import read_catalog
from personalize.providers.documents import Documents
from personalize.providers.poll import Polled
from personalize.providers.sources import Sources
from personalize.telemetry.metrics import Metrics

MAX_BYTES = 64 * 1024 * 1024
"""Of a catalogue: 100,000 products with their descriptions."""

SECONDS = 60.0
"""What its arrival may take."""


def products_from(
    locations: Sequence[str], client: httpx.AsyncClient, metrics: Metrics, *, interval: float = 300.0
) -> Polled[Products]:
    """Return the provider of all catalogues' products; it polls while it is entered.

    Args:
        locations: http(s) URLs, `file://` URLs or file paths.
        client: what URLs are fetched with; it must outlive the provider.
        metrics: where loads and failures are counted.
        interval: seconds between two loads.
    """
    documents = Documents(client, most=MAX_BYTES, seconds=SECONDS)
    read: dict[str, Callable[[], Awaitable[Batch[Product]]]] = {
        location: partial(documents.read, location, read_catalog) for location in locations
    }
    return Polled("products", Sources(read, _products).load, Products(), metrics, interval=interval)


def _products(batches: Sequence[Batch[Product]]) -> Products:
    return Products(product for batch in batches for product in batch.items)
