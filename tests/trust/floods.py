"""A crowd of visitors whom nobody knows, before a Profile API in virtual time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from prometheus_client import CollectorRegistry

from personalize.cache.entry import Ages
from personalize.cache.memory import MemoryStore
from personalize.cache.source import CachedSource
from personalize.fleet.budget import Budget
from personalize.model import ExternalId
from personalize.needs import TraitsSpec
from personalize.ports import Ask, Priority
from personalize.profile_api.client import ProfileClient
from personalize.profile_api.guard import Guard
from personalize.profile_api.sections import SectionReader
from personalize.profile_api.token import AccessToken
from personalize.telemetry.metrics import Metrics
from personalize.telemetry.pseudonym import Pseudonyms
from personalize.trust.limits import Client, Limits
from tests.loops import now

DEADLINES = {"server": 0.3, "page": 0.8}
KEY = Client("key", "web")


class Street:
    """A source as a process has it, and who was served of those who came.

    Args:
        answer_seconds: what Segment takes for an answer.
        rate: what each client may let be read a second.
    """

    def __init__(self, *, answer_seconds: float, rate: float) -> None:
        metrics = Metrics(CollectorRegistry())
        self.sent: list[float] = []
        self.came, self.served = Counter[Client](), Counter[Client]()
        self._answer_seconds = answer_seconds
        self._limits = Limits(rate, metrics=metrics, clock=now)
        client = ProfileClient(
            space_id="space1",
            access_token=AccessToken("fake-token"),
            base_url="https://profiles.test",
            transport=httpx.MockTransport(self._answer),
            metrics=metrics,
        )
        guard = Guard(Budget(None, name="space", rate=80, metrics=metrics, clock=now), metrics=metrics, clock=now)
        self._source = CachedSource(
            SectionReader(client, guard),
            MemoryStore(keep=86_400, metrics=metrics),
            pseudonyms=Pseudonyms(b"key"),
            ages=Ages(revalidate=600, stale=86_400, negative=30),
            metrics=metrics,
            clock=now,
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Street"]:
        """End all that is under way when the body is done."""
        try:
            yield self
        finally:
            await self._source.aclose()

    async def crowd(self, count: int, *, rate: float, clients: list[Client], priority: Priority) -> None:
        """Let so many strangers come, at a rate, their requests from these clients in turn."""
        asked = []
        for number in range(count):
            client = clients[number % len(clients)]
            asked.append(asyncio.create_task(self._ask(f"{priority}-{number}", client, priority)))
            await asyncio.sleep(1 / rate)
        await asyncio.gather(*asked)

    async def _ask(self, stranger: str, client: Client, priority: Priority) -> None:
        self.came[client] += 1
        ask = Ask(
            "users",
            ExternalId("anonymous_id", stranger),
            {"traits": TraitsSpec(("plan",), ttl=300)},
            now() + DEADLINES[priority],
            priority,
            allowance=self._limits.allowance(lambda: client),
        )
        snapshot = await self._source.fetch(ask)
        self.served[client] += not snapshot.failed

    async def _answer(self, _: httpx.Request) -> httpx.Response:
        self.sent.append(now())
        await asyncio.sleep(self._answer_seconds)
        return httpx.Response(404, json={"error": {"code": "not_found", "message": "Profile was not found."}})
