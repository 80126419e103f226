"""A service that knows everybody, and records whatever is read about anybody."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from personalize.app.application import create_app
from personalize.app.recipes import load_recipes
from personalize.registry import Registry
from personalize.testing import API_KEY, RecordingProfileApi
from personalize.testing.services import client_of
from tests import redises
from tests.doubles import ORIGIN, UUID, event, settings_of
from tests.pushes import SECRET
from tests.redises import Server
from tests.tokens import bearer
from tests.trust.attacks import GUESSABLE, OTHER_UUID, identity_keys
from tests.trust.doors import Door, doors

CANARY = "canary-of-a-profile"
OWN_RECIPES = '''
"""Recipes of these tests: kinds of access that no shipped one has."""

from typing import Annotated

from personalize import Trait, recipe


@recipe("own-account", access="verified", collection="accounts")
def own_account(plan: Annotated[str, Trait("plan")] = "none") -> str:
    """Name the account's plan."""
    return plan


@recipe("name", access="verified")
def name(first_name: Annotated[str, Trait("first_name")] = "nobody") -> str:
    """Name the visitor."""
    return first_name


@recipe("broken", access="public")
def broken() -> str:
    """Fail."""
    raise LookupError
'''
PERSON = {
    "traits": {"first_name": CANARY, "favorite_blog_category": CANARY, "plan": CANARY},
    "events": [event("Product Viewed", product_id=CANARY)],
}
KNOWN = (
    "user_id:ada",
    "user_id:bob",
    f"anonymous_id:{UUID}",
    f"anonymous_id:{OTHER_UUID}",
    f"anonymous_id:{GUESSABLE}",
    "group_id:acme",
)
COUNTED = ("personalize_cache_reads", "personalize_memo_reads", "personalize_sections", "personalize_upstream")
"""Metrics that rise with whatever is read about anybody."""


@dataclass(frozen=True)
class House:
    """The service, how it is asked, and what it asks."""

    app: Starlette
    client: httpx.AsyncClient
    api: RecordingProfileApi
    recipes: Registry

    @property
    def doors(self) -> list[Door]:
        return [*doors(self.app)]

    async def reads(self) -> list[str]:
        """Return how often anything was read about anybody, from memory, Redis or Segment."""
        lines = (await self.client.get("/metrics")).text.splitlines()
        return [line for line in lines if line.startswith(COUNTED) and "_created" not in line]

    async def ask_about_everybody(self) -> None:
        """Let one of our own servers ask, so that all is in the caches; nothing is read if it is already."""
        for name in ("name", "customer-context", "own-account"):
            for id_type, value in (known.split(":", 1) for known in KNOWN):
                await self.client.get(f"/api/{name}", params={id_type: value}, headers=bearer(API_KEY))


@asynccontextmanager
async def opened(folder: Path, **named: str) -> AsyncIterator[House]:
    """Yield a service whose caches know everybody."""
    own = folder / "own.py"
    own.write_text(OWN_RECIPES)
    settings = settings_of(
        RECIPES=f"shipped,{own}",
        API_KEYS=f"web:{API_KEY}",
        ID_TYPES="loyalty",
        ALLOWED_ORIGINS=ORIGIN,
        WEBHOOK_SECRET=SECRET,
        IDENTITY_KEYS=identity_keys(folder),
        **named,
    )
    api = RecordingProfileApi(dict.fromkeys(KNOWN, PERSON))
    app = create_app(settings, transport=api.transport)
    async with client_of(app) as client:
        house = House(app, client, api, load_recipes(settings))
        await house.ask_about_everybody()
        assert api.requests
        api.requests.clear()
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Return a service that remembers in process, for all tests of a module: they run on its loop."""
    async with opened(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture
def house(shared_house: House) -> House:
    """Return the service, which has asked nothing yet."""
    shared_house.api.requests.clear()
    return shared_house


@pytest.fixture
def redis_server() -> Iterator[Server]:
    """Return a real Redis."""
    with redises.server() as server:
        yield server


def about(recipe_collection: str, ids: Mapping[str, str]) -> Mapping[str, str]:
    """Return ids that a recipe of a collection can be asked by."""
    return {"group_id": "acme", **ids} if recipe_collection == "accounts" else ids
