"""The space that the contract is asked of: a sandbox of its own, or a real one that two variables name."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from personalize.profile_api.client import REGIONS
from tests.processes import personalize, wait_for_urls

T = TypeVar("T")

COLLECTION_KEYS = {"traits": "traits", "external_ids": "data", "events": "data", "links": "data"}
"""Which member of a route's answer holds its list."""


@dataclass(frozen=True)
class Space:
    """Where the contract is asked. The client carries the token, which nothing here shows."""

    client: httpx.Client = field(repr=False)
    profile: str
    is_ours: bool

    def get(
        self, route: str, external_id: str | None = None, *, collection: str = "users", **query: Any
    ) -> httpx.Response:
        """Ask a route about the profile, or another one whose id is written as it goes into the path."""
        return self.client.get(f"{collection}/profiles/{external_id or self.profile}/{route}", params=query)

    def answer(
        self, route: str, external_id: str | None = None, *, collection: str = "users", **query: Any
    ) -> dict[str, Any]:
        """Return what a route answers about a profile that exists."""
        response = self.get(route, external_id, collection=collection, **query)
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    def listed(self, route: str, **query: Any) -> list[Any]:
        """Return the items of one page; of traits their names and values."""
        found = self.answer(route, **query)[COLLECTION_KEYS[route]]
        return list(found.items()) if isinstance(found, dict) else list(found)

    def needed(self, found: T | None, what: str) -> T:
        """Return something that a case needs; a real profile may lack it, the sandbox's may not."""
        if found:
            return found
        missing = f"the profile has no {what}"
        if self.is_ours:
            pytest.fail(missing)
        pytest.skip(missing)


class Patient(httpx.HTTPTransport):
    """Comes back later when a space's 100 requests a second are spent, as its documentation recommends."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for wait_seconds in (0.5, 1, 2, 4):
            response = super().handle_request(request)
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS:
                return response
            response.close()
            time.sleep(wait_seconds)
        return super().handle_request(request)


@pytest.fixture(scope="session")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """Return the space that the environment names, else a sandbox with a profile that has something of everything."""
    if "CONTRACT_SPACE" in os.environ:
        with named() as client:
            yield Space(client, os.environ["CONTRACT_PROFILE"], is_ours=False)
        return
    history = tmp_path_factory.mktemp("contract") / "history.jsonl"
    write(history)
    with personalize("sandbox", "--port", "0", "--rate-limit", "0", "--seed", str(history)) as run:
        [url] = wait_for_urls(run, 1)
        with asking(url, "sandbox", "sandbox-token") as client:
            yield Space(client, "user_id:contract", is_ours=True)


def named() -> httpx.Client:
    """Return a client of the space that `CONTRACT_SPACE` names."""
    where, _, token = os.environ["CONTRACT_SPACE"].rpartition(":")
    region, _, space_id = where.rpartition("/")
    return asking(REGIONS.get(region or "us", region), space_id, token)


def asking(base_url: str, space_id: str, token: str) -> httpx.Client:
    url = f"{base_url}/v1/spaces/{space_id}/collections/"
    return httpx.Client(base_url=url, auth=(token, ""), timeout=10, transport=Patient())


def write(history: Path) -> None:
    """Write Tracking calls that make more than one page of whatever there are pages of."""
    ids = [{"id": f"c{number}", "type": "crm_id"} for number in range(30)]
    phone = {"id": "+5555550123", "type": "phone_number"}
    traits = {f"trait_{number:03}": number for number in range(220)}
    calls: list[dict[str, Any]] = [
        {"type": "identify", "traits": traits, "context": {"externalIds": [phone, *ids]}},
        *({"type": "group", "groupId": f"g{number}", "traits": {"name": f"Group {number}"}} for number in range(25)),
    ]
    for number in range(130):
        name, properties = [("Post Viewed", {"category": "Cycling"}), ("Order Completed", {"total": 99})][number % 2]
        happened = datetime.now(UTC) - timedelta(hours=1 + number)
        calls.append(
            {
                "type": "track",
                "event": name,
                "properties": properties,
                "timestamp": happened.isoformat(),
                "context": {"groupId": f"g{number % 25}"},
            }
        )
    history.write_text("".join(json.dumps({"userId": "contract", **call}) + "\n" for call in calls))
