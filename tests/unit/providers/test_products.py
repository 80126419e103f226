"""Locations become the provider `products`."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from personalize.providers.products import products_from
from personalize.telemetry.metrics import Metrics
from tests.unit.providers.blogs import Site

SHOP = "https://shop.example.com"


async def test_catalogues_are_one_collection(tmp_path: Path) -> None:
    """Of a file and a URL; of two products with one id the first source's stays."""
    (tmp_path / "shop.csv").write_text("id,title,product_type\n1,Mug,Kitchen\n2,Pan,Kitchen\n")
    site = Site({"/products.json": json.dumps([{"id": 2, "name": "Other"}, {"id": 3, "name": "Pot"}]).encode()})
    locations = [str(tmp_path / "shop.csv"), f"{SHOP}/products.json"]
    metrics = Metrics(CollectorRegistry())
    async with site.client() as client, products_from(locations, client, metrics) as provider:
        products = provider.items()
    assert [one.name for one in products.newest()] == ["Mug", "Pan", "Pot"]
    assert [one.name for one in products.in_category("kitchen")] == ["Mug", "Pan"]
    assert metrics.registry.get_sample_value("personalize_provider_items", {"provider": "products"}) == 3


@pytest.mark.alone
async def test_an_import_leaves_the_loop_to_others(tmp_path: Path) -> None:
    """While a large catalogue is read, other tasks run."""
    lines = (json.dumps({"id": number, "name": "Mug", "url": f"{SHOP}/{number}"}) for number in range(20_000))
    (tmp_path / "shop.jsonl").write_text("\n".join(lines))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with httpx.AsyncClient() as client:
        provider = products_from([str(tmp_path / "shop.jsonl")], client, Metrics(CollectorRegistry()))
        provider.first_wait = 30.0
        task = asyncio.create_task(others())
        async with provider:
            task.cancel()
            assert len(provider.items()) == 20_000
    assert turns > 10
