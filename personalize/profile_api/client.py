"""Reading profiles: the Profile API's routes, over one pooled client."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, cast

import httpx

from personalize import errors
from personalize.frames import let_go
from personalize.model import Collection, ExternalId
from personalize.needs import MAX_EVENTS
from personalize.profile_api import wire
from personalize.profile_api.token import AccessToken
from personalize.profile_api.transport import PooledTransport
from personalize.telemetry import exchanges, tracing
from personalize.telemetry.metrics import Metrics

Page = TypeVar("Page")

Transport: TypeAlias = httpx.AsyncBaseTransport
"""What carries requests: the pool, or what stands for it in a test."""

REGIONS = {"us": "https://profiles.segment.com", "eu": "https://profiles.euw1.segment.com"}
"""Base URLs (Profile API documentation: Endpoint, European Union endpoint)."""

MAX_BODY = 1024 * 1024
"""Bytes of one answer."""

MAX_TRAITS = 200
"""Traits of one call (Traits: up to 200 by `limit`)."""

MAX_EXTERNAL_IDS = 25
MAX_LINKS = 20
"""Of one call, as the page says of external ids' and links' `limit`; of events it is `MAX_EVENTS`."""

TraitClass: TypeAlias = Literal["audience", "computed_trait"]
Sort: TypeAlias = Literal["asc", "desc"]

_BY_CODE: dict[str, type[errors.ProfileApiError]] = {
    "authentication_error": errors.AuthenticationFailed,
    "invalid_request_error": errors.InvalidRequest,
    "not_found": errors.ProfileNotFound,
    "rate_limit_error": errors.RateLimited,
    "validation_error": errors.ValidationFailed,
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
    """The five routes of both collections, a page a call.

    Every method raises a `ProfileApiError` of one of its kinds; `ProfileNotFound` is the normal answer for an unknown
    visitor. Pages are turned by `next_page`, the cursor of the page before. A name with a comma cannot be asked for.

    Args:
        space_id: the Segment space.
        access_token: sent with every request, as it is at that moment.
        base_url: without `/v1`; see `REGIONS`.
        transport: carries requests; a `PooledTransport` of its own unless given.
        metrics: counts and times every call.
    """

    def __init__(
        self,
        *,
        space_id: str,
        access_token: AccessToken,
        base_url: str,
        metrics: Metrics,
        transport: Transport | None = None,
    ) -> None:
        self._space_id = space_id
        self._access_token = access_token
        self._base_url = base_url.rstrip("/")
        self._transport = transport or PooledTransport()
        self._calls = cache(metrics.upstream_requests.labels)
        self._seconds = cache(metrics.upstream_seconds.labels)
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "personalize",
        }

    def __repr__(self) -> str:
        return f"ProfileClient(space_id={self._space_id!r}, base_url={self._base_url!r})"

    async def aclose(self) -> None:
        """Close the pool."""
        await self._transport.aclose()

    async def traits(
        self,
        collection: Collection,
        external_id: ExternalId,
        *,
        include: Sequence[str] = (),
        class_: TraitClass | None = None,
        limit: int = MAX_TRAITS,
        next_page: str = "",
    ) -> wire.TraitsPage:
        """Return one page of traits."""
        query = wire.query(include=include, **{"class": class_}, limit=limit, next=next_page)
        return await self._get("traits", collection, external_id, query, wire.TraitsPage)

    async def verbose_traits(
        self,
        collection: Collection,
        external_id: ExternalId,
        *,
        include: Sequence[str] = (),
        class_: TraitClass | None = None,
        limit: int = MAX_TRAITS,
        next_page: str = "",
    ) -> wire.VerboseTraitsPage:
        """Return one page of traits, each value told with its source and time of change."""
        query = wire.query(include=include, **{"class": class_}, limit=limit, verbose=True, next=next_page)
        return await self._get("traits", collection, external_id, query, wire.VerboseTraitsPage)

    async def external_ids(
        self,
        collection: Collection,
        external_id: ExternalId,
        *,
        include: Sequence[str] = (),
        limit: int = MAX_EXTERNAL_IDS,
        verbose: bool = False,
        next_page: str = "",
    ) -> wire.ExternalIdsPage:
        """Return one page of the external ids that lead to the profile; `include` names id types."""
        query = wire.query(include=include, limit=limit, verbose=verbose, next=next_page)
        return await self._get("external_ids", collection, external_id, query, wire.ExternalIdsPage)

    async def events(  # noqa: PLR0913 -- the route's own parameters
        self,
        collection: Collection,
        external_id: ExternalId,
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        sort: Sort = "desc",
        limit: int = MAX_EVENTS,
        next_page: str = "",
    ) -> wire.EventsPage:
        """Return one page of the Track events of the last 14 days."""
        query = wire.query(
            include=include, exclude=exclude, start=start, end=end, limit=limit, sort=sort, next=next_page
        )
        return await self._get("events", collection, external_id, query, wire.EventsPage)

    async def metadata(
        self, collection: Collection, external_id: ExternalId, *, verbose: bool = False
    ) -> wire.MetadataPage:
        """Return when the profile came to be and changed."""
        return await self._get("metadata", collection, external_id, wire.query(verbose=verbose), wire.MetadataPage)

    async def links(
        self, collection: Collection, external_id: ExternalId, *, limit: int = MAX_LINKS, next_page: str = ""
    ) -> wire.LinksPage:
        """Return one page of the accounts that a user is linked to, or of an account's users."""
        query = wire.query(limit=limit, next=next_page)
        return await self._get("links", collection, external_id, query, wire.LinksPage)

    async def _get(
        self, route: str, collection: Collection, external_id: ExternalId, query: str, page: type[Page]
    ) -> Page:
        """Return one answer; count and time the call by how it went."""
        profile = wire.profile_path(self._space_id, collection, external_id)
        url = f"{self._base_url}{profile}/{route}{query}"
        started = time.perf_counter()
        outcome = errors.TimedOut.label  # what a cancellation is: the time limit of a read
        request_id: str | None = None
        try:
            with tracing.span("GET profile", "client", upstream=route):
                request_id, answer = await self._answer(url, page)
            outcome = "ok"
        except errors.ProfileApiError as error:
            outcome, request_id = error.label, error.request_id
            raise
        finally:
            exchanges.note(route, outcome, started, request_id)
            self._calls(route, outcome).inc()
            self._seconds(route).observe(time.perf_counter() - started)
        return answer

    def _request(self, url: str) -> httpx.Request:
        """Return a request, which masks the token when it is shown: no frame that may fail has it as it is."""
        headers = {**self._headers, **tracing.onward(), "Authorization": self._access_token.basic}
        return httpx.Request("GET", url, headers=headers)

    async def _answer(self, url: str, page: type[Page]) -> tuple[str | None, Page]:
        try:
            response = await self._transport.handle_async_request(self._request(url))
            try:
                return wire.request_id(response.headers.get("Request-Id")), await _read(response, page)
            finally:
                await response.aclose()
        except _FOREIGN as error:
            failure = _failure(let_go(error))
        raise failure


class Turnable(Protocol):
    """A page that says where the next one starts."""

    @property
    def next(self) -> str:
        """The cursor of the next page; empty on the last one."""
        ...


Turned = TypeVar("Turned", bound=Turnable)


async def turned(page: Callable[[str], Awaitable[Turned]], *, most: int) -> AsyncIterator[Turned]:
    """Yield pages until the last one, `most` of them at the most; a cursor that does not move ends them too."""
    cursor = ""
    for _ in range(most):
        one = await page(cursor)
        yield one
        if one.next in {"", cursor}:
            return
        cursor = one.next


async def _read(response: httpx.Response, page: type[Page]) -> Page:
    """Return a response's body as its page; raise what a refusal says."""
    request_id = wire.request_id(response.headers.get("Request-Id"))
    if response.status_code != httpx.codes.OK:
        body = b""
        with suppress(errors.Unreadable):  # whatever it is, its status still says what went wrong
            body = await _bounded(response, request_id)
        raise _refusal(response, body, request_id)
    return wire.decode(await _bounded(response, request_id), page, request_id)


async def _bounded(response: httpx.Response, request_id: str | None) -> bytes:
    """Return the body, refusing one that is encoded though we asked for identity, or too large."""
    if (response.headers.get("Content-Encoding") or "identity").lower() != "identity":
        raise errors.Unreadable("The Profile API's answer is encoded, though identity was asked for.", request_id)
    body = bytearray()
    async for chunk in cast("httpx.AsyncByteStream", response.stream):  # as it came: there is nothing to decode
        body += chunk
        if len(body) > MAX_BODY:
            raise errors.Unreadable("The Profile API's answer is too large.", request_id)
    return bytes(body)


def _refusal(response: httpx.Response, body: bytes, request_id: str | None) -> errors.ProfileApiError:
    """Return the error of an answer that is not 200: by its code where it has one, else by its status."""
    status, code = response.status_code, wire.error_code(body)
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status)
    if kind is None:
        kind = errors.ServerFault if status >= httpx.codes.INTERNAL_SERVER_ERROR else errors.Unreadable
    told: dict[str, Any] = {"upstream_status": status, "upstream_code": code or None}
    if issubclass(kind, errors.RateLimited):
        told["retry_after"] = wire.retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
    return kind(f"The Profile API answered {status}.", request_id, **told)


def _failure(error: Exception) -> errors.ProfileApiError:
    """Return our error for a foreign one, to be raised outside its handler: that one may quote a URL with an id."""
    ours = next(ours for theirs, ours in _BY_EXCEPTION if isinstance(error, theirs))
    return ours(f"The Profile API could not be read ({type(error).__name__}).")
