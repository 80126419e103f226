"""The answers that the Profile API documentation shows, read through the client's methods."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client import CollectorRegistry

from personalize import errors
from personalize.errors import ProfileApiError
from personalize.model import Event, ExternalId
from personalize.profile_api.client import ProfileClient
from personalize.profile_api.token import AccessToken
from personalize.telemetry.metrics import Metrics
from tests.examples import example, names

U1 = ExternalId("user_id", "u1234")
NOT_READ = {"url", "limit"}
"""Of a cursor: following the one would let an answer choose our next host, and the other is what we asked for."""

Method = Callable[[ProfileClient], Awaitable[Any]]

ANSWERS: dict[str, Method] = {
    "quickstart_traits": lambda client: client.traits("users", U1),
    "traits": lambda client: client.traits("users", U1),
    "verbose_traits": lambda client: client.verbose_traits("users", U1),
    "external_ids": lambda client: client.external_ids("users", U1),
    "events": lambda client: client.events("users", U1),
    "metadata": lambda client: client.metadata("users", U1),
    "links": lambda client: client.links("users", U1),
}


def answering(status: int, name: str) -> ProfileClient:
    """Return a client of a Profile API that gives an example for every answer."""

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json=example(name), headers={"Request-Id": "1111-2222-3333-4444"})

    return ProfileClient(
        space_id="lgJ4AAjFN4",
        access_token=AccessToken("fake-token"),
        base_url="https://profiles.test",
        metrics=Metrics(CollectorRegistry()),
        transport=httpx.MockTransport(answer),
    )


def unread(shown: Any, read: Any, place: str = "") -> list[str]:
    """Return the places of what an example shows and what was read of it does not have, or has otherwise."""
    if isinstance(shown, dict) and isinstance(read, dict):
        pairs = [(key, shown[key], read.get(key, "nothing")) for key in shown.keys() - NOT_READ]
        return [odd for key, one, other in pairs for odd in unread(one, other, f"{place}.{key}")]
    if isinstance(shown, list) and isinstance(read, list) and len(shown) == len(read):
        return [odd for n, one in enumerate(shown) for odd in unread(one, read[n], f"{place}[{n}]")]
    return [] if shown == read else [place]


def test_every_example_is_one_of_these() -> None:
    """One that is added is read here too."""
    assert names() == sorted([*ANSWERS, "error", "not_found"])


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_is_read_whole(name: str) -> None:
    """Every member that the documentation shows is in the page that the method returns, with its value."""
    page = await ANSWERS[name](answering(200, name))
    read = msgspec.to_builtins(page)
    assert unread(example(name), read) == []
    if name not in {"metadata", "links"}:  # whose examples have no cursor
        assert page.next == (example(name)["cursor"]["next"] if example(name)["cursor"]["has_more"] else "")


async def test_the_events_are_values() -> None:
    """Name, time in UTC, properties and message id."""
    page = await answering(200, "events").events("users", U1)
    [shown] = example("events")["data"]
    when = datetime(2018, 1, 5, 0, 16, 35, 663000, tzinfo=UTC)
    assert list(page.events()) == [Event("Page Viewed", when, shown["properties"], shown["message_id"])]


async def test_the_links_example_is_the_last_page() -> None:
    """It has no cursor at all."""
    assert (await answering(200, "links").links("users", U1)).next == ""


@pytest.mark.parametrize("method", ANSWERS.values(), ids=ANSWERS.keys())
@pytest.mark.parametrize(
    ("status", "name", "kind"), [(404, "not_found", errors.ProfileNotFound), (400, "error", errors.ValidationFailed)]
)
async def test_an_error_is_its_own_exception(
    method: Method, status: int, name: str, kind: type[ProfileApiError]
) -> None:
    """Of every route, with the answer's status, code and id."""
    with pytest.raises(ProfileApiError) as failed:
        await method(answering(status, name))
    error = failed.value
    assert type(error) is kind
    assert (error.upstream_status, error.upstream_code) == (status, example(name)["error"]["code"])
    assert error.request_id == "1111-2222-3333-4444"
