"""Segment's own Python library writes to the sandbox, and our client reads what it wrote."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry
from segment.analytics.client import Client

from personalize.model import Collection, ExternalId
from personalize.profile_api.client import ProfileClient
from personalize.profile_api.token import AccessToken
from personalize.telemetry.metrics import Metrics
from tests.sites import WRITE_KEY


@pytest.fixture
def library(sandbox_url: str) -> Client:
    """Return the library as a site's back end has it, but its host the sandbox; a call returns when it is sent."""
    return Client(WRITE_KEY, host=sandbox_url, sync_mode=True, max_retries=1)


def test_what_the_library_compresses_is_read(sandbox_url: str) -> None:
    """Its batches may be gzip."""
    library = Client(WRITE_KEY, host=sandbox_url, sync_mode=True, max_retries=1, gzip=True)
    library.identify("u-gzip", {"first_name": "Zip"})
    assert read(sandbox_url, "users", ExternalId("user_id", "u-gzip"))[0] == {"first_name": "Zip"}


def read(
    sandbox_url: str, collection: Collection, external_id: ExternalId
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return a profile's traits, the names of its events, and the ids that it is linked to."""

    async def look() -> tuple[dict[str, Any], list[str], list[str]]:
        client = ProfileClient(
            space_id="sandbox",
            access_token=AccessToken("sandbox-token"),
            base_url=sandbox_url,
            metrics=Metrics(CollectorRegistry()),
        )
        try:
            traits = await client.traits(collection, external_id)
            events = await client.events(collection, external_id)
            links = await client.links(collection, external_id)
        finally:
            await client.aclose()
        linked = [f"{one.type}:{one.id}" for link in links.data for one in link.external_ids]
        return traits.traits, [event.name for event in events.events()], linked

    return asyncio.run(look())


def test_what_the_library_sends_is_read(library: Client, sandbox_url: str) -> None:
    """Traits, an event, a group and its link, and what was done before the visitor had a name."""
    visitor = str(uuid4())
    library.track(anonymous_id=visitor, event="Post Viewed", properties={"category": "Cycling"})
    library.identify("u-library", {"first_name": "Lib", "age": 7}, anonymous_id=visitor)
    library.track("u-library", "Product Viewed", {"product_id": "p1"})
    library.group("u-library", "g-library", {"name": "Example & Co"})

    traits, events, linked = read(sandbox_url, "users", ExternalId("user_id", "u-library"))
    assert traits == {"first_name": "Lib", "age": 7, "favorite_blog_category": "Cycling"}
    assert sorted(events) == ["Post Viewed", "Product Viewed"]
    assert linked == ["group_id:g-library"]

    account, _, members = read(sandbox_url, "accounts", ExternalId("group_id", "g-library"))
    assert account == {"name": "Example & Co"}
    assert "user_id:u-library" in members


def test_every_id_of_a_person_leads_to_the_same_profile(library: Client, sandbox_url: str) -> None:
    """Also one that was joined by an alias."""
    library.identify("u-old", {"plan": "free"})
    library.identify("u-new", {"city": "Utrecht"})
    library.alias("u-old", "u-new")

    old, new = (read(sandbox_url, "users", ExternalId("user_id", name)) for name in ("u-old", "u-new"))
    assert old == new
    assert old[0] == {"plan": "free", "city": "Utrecht"}
