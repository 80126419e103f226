"""Reading profiles: the Profile API's routes, over one pooled client."""

import asyncio
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import httpx

from personalize import errors
from personalize.model import Collection, Event, ExternalId
from personalize.needs import Events, SectionSpec, TraitsSpec
from personalize.profile_api import wire
from personalize.profile_api.transport import PooledTransport
from personalize.telemetry.metrics import Metrics

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
    404: errors.ProfileNotFound,
    429: errors.RateLimited,
}
_BY_TRANSPORT: tuple[tuple[type[Exception], type[errors.ProfileApiError]], ...] = (
    (TimeoutError, errors.TimedOut),
    (httpx.TimeoutException, errors.TimedOut),
    (httpx.TransportError, errors.Unreachable),
)


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
        self._metrics = metrics
        self._http = httpx.AsyncClient(
            transport=transport or PooledTransport(),
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "Authorization": "Basic " + b64encode(f"{access_token}:".encode()).decode(),
                "User-Agent": "personalize",
            },
            follow_redirects=False,
            trust_env=False,
            timeout=None,  # noqa: S113 -- `read` bounds the whole of it; the transport bounds connecting
        )

    def __repr__(self) -> str:
        return f"ProfileClient(space_id={self._space_id!r}, base_url={self._base_url!r})"

    async def aclose(self) -> None:
        """Close the pool."""
        await self._http.aclose()

    async def read(
        self, collection: Collection, external_id: ExternalId, spec: SectionSpec
    ) -> dict[str, Any] | tuple[Event, ...]:
        """Return the content of one section of a profile.

        Raises:
            ProfileApiError: one of its kinds; `ProfileNotFound` is the normal answer for an unknown visitor.
        """
        profile = self._base_url + wire.profile_path(self._space_id, collection, external_id)
        with _translated():
            async with asyncio.timeout(READ_SECONDS):
                if isinstance(spec, TraitsSpec):
                    return await self._traits(profile, spec.names)
                return await self._events(profile, spec.needs)

    async def _traits(self, profile: str, names: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for start in range(0, len(names), MAX_TRAITS):
            asked = names[start : start + MAX_TRAITS]
            body, request_id = await self._get(
                "traits", f"{profile}/traits?include={wire.include(asked)}&limit={len(asked)}"
            )
            found |= wire.decode(body, wire.TraitsPage, request_id).traits
        return {name: value for name, value in found.items() if name in names}

    async def _events(self, profile: str, needs: Sequence[Events]) -> tuple[Event, ...]:
        names = sorted({name for need in needs for name in need.names})
        events: list[Event] = []
        url = first = f"{profile}/events?include={wire.include(names)}&limit=100&sort=desc"
        for _ in range(MAX_PAGES):
            body, request_id = await self._get("events", url)
            page = wire.decode(body, wire.EventsPage, request_id)
            events.extend(page.events())
            if page.cursor is None or not page.cursor.has_more or not page.cursor.next or _filled(needs, events):
                break
            url = f"{first}&next={wire.encoded(page.cursor.next)}"
        return _wanted(needs, events)

    async def _get(self, route: str, url: str) -> tuple[bytes, str | None]:
        """Return an answer's body and Segment's `Request-Id`; count the call by how it went."""
        started, outcome = time.perf_counter(), errors.TimedOut.label  # a cancellation is the time limit of `read`
        try:
            with _translated():
                answer = await self._send(url)
            outcome = "ok"
        except errors.ProfileApiError as error:
            outcome = error.label
            raise
        finally:
            self._metrics.upstream_requests.labels(route, outcome).inc()
            self._metrics.upstream_seconds.labels(route).observe(time.perf_counter() - started)
        return answer

    async def _send(self, url: str) -> tuple[bytes, str | None]:
        async with self._http.stream("GET", url) as response:
            request_id = response.headers.get("Request-Id")
            body = await _bounded(response, request_id)
        if response.status_code != httpx.codes.OK:
            raise _refusal(response.status_code, body, request_id)
        return body, request_id


async def _bounded(response: httpx.Response, request_id: str | None) -> bytes:
    """Return the body, refusing one that is encoded though we asked for identity, or too large."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
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


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the transport's exceptions into ours; their messages may quote a URL with an id, so they are dropped."""
    try:
        yield
    except (TimeoutError, httpx.TransportError) as error:
        ours = next(ours for theirs, ours in _BY_TRANSPORT if isinstance(error, theirs))
        raise ours(f"The Profile API could not be read ({type(error).__name__}).") from None
