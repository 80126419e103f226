"""Reading profiles: the Profile API's routes, over one pooled client."""

import asyncio
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

import httpx

from personalize import errors
from personalize.model import Collection, Event, ExternalId
from personalize.needs import MAX_EVENTS, Events, SectionSpec, TraitsSpec
from personalize.profile_api import wire
from personalize.profile_api.transport import PooledTransport
from personalize.telemetry.metrics import Metrics

Page = TypeVar("Page")

Transport: TypeAlias = httpx.AsyncBaseTransport
"""What carries requests: the pool, or what stands for it in a test."""

REGIONS = {"us": "https://profiles.segment.com", "eu": "https://profiles.euw1.segment.com"}
"""Base URLs (Profile API documentation: Endpoint, European Union endpoint)."""

READ_SECONDS = 2.5
"""A whole read of a section, all its pages, however slowly they drip."""

MAX_BODY = 1024 * 1024
"""Bytes of one answer."""

MAX_TRAITS = 200
"""Traits of one call (Traits: up to 200 by `limit`)."""

MAX_PAGES = 5
"""Pages of events that one read may turn: a visitor's frequent event may crowd out a rare one, but not for ever."""

_BY_CODE: dict[str, type[errors.ProfileApiError]] = {
    "authentication_error": errors.AuthenticationFailed,
    "invalid_request_error": errors.InvalidRequest,
    "not_found": errors.ProfileNotFound,
    "rate_limit_error": errors.RateLimited,
    "validation_error": errors.InvalidRequest,
}
_BY_STATUS: dict[int, type[errors.ProfileApiError]] = {
    400: errors.InvalidRequest,
    401: errors.AuthenticationFailed,
    403: errors.AuthenticationFailed,
    # Not 404: one without a code is no profile's, but a wrong base URL's, and must not look like an unknown visitor.
    429: errors.RateLimited,
}
_BY_EXCEPTION: tuple[tuple[type[Exception], type[errors.ProfileApiError]], ...] = (
    (TimeoutError, errors.TimedOut),
    (httpx.TimeoutException, errors.TimedOut),
    (httpx.TransportError, errors.Unreachable),
    (httpx.InvalidURL, errors.InvalidRequest),
)
_FOREIGN = tuple(theirs for theirs, _ in _BY_EXCEPTION)


class ProfileClient:
    """Reads sections of profiles.

    Args:
        space_id: the Segment space.
        access_token: sent as the Basic username with an empty password; kept nowhere else.
        base_url: without `/v1`; see `REGIONS`.
        transport: carries requests; a `PooledTransport` of its own unless given.
        metrics: counts and times every call.
    """

    def __init__(
        self, *, space_id: str, access_token: str, base_url: str, metrics: Metrics, transport: Transport | None = None
    ) -> None:
        self._space_id = space_id
        self._base_url = base_url.rstrip("/")
        self._transport = transport or PooledTransport()
        self._metrics = metrics
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Authorization": "Basic " + b64encode(f"{access_token}:".encode()).decode(),
            "User-Agent": "personalize",
        }

    def __repr__(self) -> str:
        return f"ProfileClient(space_id={self._space_id!r}, base_url={self._base_url!r})"

    async def aclose(self) -> None:
        """Close the pool."""
        await self._transport.aclose()

    async def read(
        self, collection: Collection, external_id: ExternalId, spec: SectionSpec
    ) -> dict[str, Any] | tuple[Event, ...]:
        """Return the content of one section of a profile.

        Raises:
            ProfileApiError: one of its kinds; `ProfileNotFound` is the normal answer for an unknown visitor.
        """
        profile = self._base_url + wire.profile_path(self._space_id, collection, external_id)
        try:
            async with asyncio.timeout(READ_SECONDS):
                if isinstance(spec, TraitsSpec):
                    return await self._traits(profile, spec.names)
                return await self._events(profile, spec.needs)
        except TimeoutError as error:
            failure = _failure(error)
        raise failure

    async def _traits(self, profile: str, names: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for start in range(0, len(names), MAX_TRAITS):
            asked = names[start : start + MAX_TRAITS]
            url = f"{profile}/traits?include={wire.include(asked)}&limit={len(asked)}"
            found |= (await self._get("traits", url, wire.TraitsPage)).traits
        return {name: value for name, value in found.items() if name in names}

    async def _events(self, profile: str, needs: Sequence[Events]) -> tuple[Event, ...]:
        names = sorted({name for need in needs for name in need.names})
        first = f"{profile}/events?include={wire.include(names)}&limit={MAX_EVENTS}&sort=desc"
        events: list[Event] = []
        cursor = ""
        for _ in range(MAX_PAGES):
            url = f"{first}&next={wire.encoded(cursor)}" if cursor else first
            page = await self._get("events", url, wire.EventsPage)
            events.extend(page.events())
            if _filled(needs, events) or page.next in {"", cursor}:  # a cursor that does not move would repeat the page
                break
            cursor = page.next
        return _wanted(needs, events)

    async def _get(self, route: str, url: str, page: type[Page]) -> Page:
        """Return one answer; count and time the call by how it went."""
        started = time.perf_counter()
        outcome = errors.TimedOut.label  # what a cancellation is: the time limit of `read`
        try:
            answer = await self._answer(url, page)
            outcome = "ok"
        except errors.ProfileApiError as error:
            outcome = error.label
            raise
        finally:
            self._metrics.upstream_requests.labels(route, outcome).inc()
            self._metrics.upstream_seconds.labels(route).observe(time.perf_counter() - started)
        return answer

    async def _answer(self, url: str, page: type[Page]) -> Page:
        try:
            request = httpx.Request("GET", url, headers=self._headers)
            response = await self._transport.handle_async_request(request)
            try:
                return await _read(response, page)
            finally:
                await response.aclose()
        except _FOREIGN as error:
            failure = _failure(error)
        raise failure


async def _read(response: httpx.Response, page: type[Page]) -> Page:
    """Return a response's body as its page; raise what a refusal says."""
    request_id = response.headers.get("Request-Id")
    if response.status_code != httpx.codes.OK:
        body = b""
        with suppress(errors.Unreadable):  # whatever it is, its status still says what went wrong
            body = await _bounded(response, request_id)
        raise _refusal(response.status_code, body, request_id)
    return wire.decode(await _bounded(response, request_id), page, request_id)


async def _bounded(response: httpx.Response, request_id: str | None) -> bytes:
    """Return the body, refusing one that is encoded though we asked for identity, or too large."""
    if (response.headers.get("Content-Encoding") or "identity").lower() != "identity":
        raise errors.Unreadable("The Profile API's answer is encoded, though identity was asked for.", request_id)
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_BODY:
            raise errors.Unreadable("The Profile API's answer is too large.", request_id)
    return bytes(body)


def _refusal(status: int, body: bytes, request_id: str | None) -> errors.ProfileApiError:
    """Return the error of an answer that is not 200: by its code where it has one, else by its status."""
    kind = _BY_CODE.get(wire.error_code(body)) or _BY_STATUS.get(status)
    if kind is None:
        kind = errors.ServerFault if status >= httpx.codes.INTERNAL_SERVER_ERROR else errors.Unreadable
    return kind(f"The Profile API answered {status}.", request_id)


def _filled(needs: Iterable[Events], events: Iterable[Event]) -> bool:
    """Whether every need has as many events as it wants."""
    count = Counter(event.name for event in events)
    return all(sum(count[name] for name in need.names) >= need.limit for need in needs)


def _wanted(needs: Sequence[Events], events: Iterable[Event]) -> tuple[Event, ...]:
    """Return the events that at least one need would take: what none takes need not be kept."""
    taken: Counter[Events] = Counter()
    kept = []
    for event in events:
        takers = [need for need in needs if event.name in need.names and taken[need] < need.limit]
        taken.update(takers)
        if takers:
            kept.append(event)
    return tuple(kept)


def _failure(error: Exception) -> errors.ProfileApiError:
    """Return our error for a foreign one, to be raised outside its handler: that one may quote a URL with an id."""
    ours = next(ours for theirs, ours in _BY_EXCEPTION if isinstance(error, theirs))
    return ours(f"The Profile API could not be read ({type(error).__name__}).")
