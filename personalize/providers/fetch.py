"""The bytes behind a URL or a file path: bounded in size, time and redirects, and silent about secrets."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote

import httpx

from personalize.errors import ProviderFailed
from personalize.providers.transport import CheckedTransport, NotPublic

MAX_BYTES = 5 * 1024 * 1024
"""Of a decoded body, unless said otherwise: a feed of 1,000 full articles takes about 4 MiB."""

MAX_REDIRECTS = 3
"""http → https → www → a moved feed is the longest honest way."""

TOTAL_SECONDS = 10.0
"""For everything, since httpx's own timeouts are per chunk and a trickle would never end. Nobody waits for it."""

_HTTP = re.compile(r"(?P<scheme>https?://)(?:[^/?#]*@)?(?P<place>[^?#]*)", re.IGNORECASE)
_HEADERS = {
    "Accept": "application/rss+xml, application/atom+xml, application/feed+json, application/json, "
    "application/xml;q=0.9, */*;q=0.5",
    "Accept-Encoding": "gzip",
}
_ENCODINGS = {"identity", "gzip"}
"""What a body may be in: gzip expands a chunk at most a thousandfold before it is counted. Others know no bound, nor
does gzip within gzip."""

_REASONS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    ((httpx.InvalidURL, ValueError), "is neither a URL nor a path"),
    (httpx.UnsupportedProtocol, "does not lead to an http(s) URL"),
    (NotPublic, "leads to a private address, which is asked only with PERSONALIZE_PRIVATE_FEEDS=true"),
    (httpx.ConnectError, "cannot be connected to"),
    (httpx.DecodingError, "does not decompress"),
    ((httpx.TimeoutException, TimeoutError), "did not answer in time"),
    (httpx.HTTPError, "broke off"),
    (FileNotFoundError, "does not exist"),
    (PermissionError, "may not be read"),
    (OSError, "cannot be read"),
)
"""What a foreign error means, the first that fits; every other exception is a defect and passes."""

_FOREIGN = (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError)


def new_client(*, private: bool) -> httpx.AsyncClient:
    """Return a client to fetch with, for whoever opens and closes it: it believes no proxy of the environment.

    Args:
        private: whether it may ask addresses that are not of the Internet, first or by a redirect.
    """
    transport = CheckedTransport(private=private)
    return httpx.AsyncClient(
        transport=transport, headers={"User-Agent": "personalize"}, follow_redirects=False, trust_env=False
    )


class Refused(ProviderFailed):
    """A server gave another answer than a document.

    Args:
        message: what happened, without secrets.
        answer: the HTTP status.
    """

    def __init__(self, message: str, answer: int) -> None:
        self.answer = answer
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Document:
    """What a location held.

    `location` is where it was found in the end, with credentials and query: for whoever has to ask there again.
    `headers` are those of the answer, in any case; a file has none.
    """

    location: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def shown(self) -> str:
        """The location as it may be shown, and as links are resolved against it."""
        return without_secrets(self.location)

    @property
    def validators(self) -> Mapping[str, str]:
        """The request headers that ask for it only if it has changed (RFC 9110, section 13.1); none for a file."""
        asked = {"If-None-Match": self.headers.get("etag"), "If-Modified-Since": self.headers.get("last-modified")}
        return {name: value for name, value in asked.items() if value}


async def fetch(
    location: str,
    client: httpx.AsyncClient,
    *,
    validators: Mapping[str, str] = MappingProxyType({}),
    most: int = MAX_BYTES,
    seconds: float = TOTAL_SECONDS,
) -> Document | None:
    """Return what an http(s) URL, a `file://` URL or a file path holds; `None` if that has not changed.

    Args:
        location: where to read; a URL's user and password are sent as basic authentication.
        client: any client. httpx's pool dies when many waiting requests are cancelled, but a source makes one
            request at a time, so that a plain one is fine.
        validators: those of the document that is known already.
        most: bytes that it may have, decoded.
        seconds: how long it may take in all.

    Raises:
        Refused: the answer was another than 200, or than 304 where that was asked for.
        ProviderFailed: with a reason that names the location without its credentials and query.
    """
    read = (
        _download(location, client, validators, most) if is_web(location) else asyncio.to_thread(_read, location, most)
    )
    try:
        async with asyncio.timeout(seconds):
            return await read
    except _FOREIGN as error:
        reason = next(reason for kind, reason in _REASONS if isinstance(error, kind))
        # Not `from error`: its message may quote the URL.
        raise ProviderFailed(f"{without_secrets(location)} {reason}") from None


def is_web(location: str) -> bool:
    """Whether a location is an http(s) URL, and not a file."""
    return _HTTP.match(location) is not None


def without_secrets(location: str) -> str:
    """Return a location as it may be shown: scheme, host, port and path of an http(s) URL, all of a file's path."""
    url = _HTTP.match(location)
    return url["scheme"] + url["place"] if url else location


async def _download(
    location: str, client: httpx.AsyncClient, validators: Mapping[str, str], most: int
) -> Document | None:
    request = client.build_request("GET", location, headers={**_HEADERS, **validators})
    for _ in range(MAX_REDIRECTS + 1):
        response = await client.send(request, stream=True, follow_redirects=False)
        async with aclosing(response):
            if response.next_request is None:
                unchanged = validators and response.status_code == httpx.codes.NOT_MODIFIED
                return None if unchanged else await _whole(response, location, most)
            request = response.next_request
    raise ProviderFailed(f"{without_secrets(location)} redirects more than {MAX_REDIRECTS} times")


async def _whole(response: httpx.Response, location: str, most: int) -> Document:
    if response.status_code != httpx.codes.OK:
        raise Refused(f"{without_secrets(location)} answered {response.status_code}", response.status_code)
    if response.headers.get("content-encoding", "identity").strip().lower() not in _ENCODINGS:
        raise ProviderFailed(f"{without_secrets(location)} is encoded otherwise than was asked")
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        _check_size(body, location, most)
    return Document(str(response.url), bytes(body), response.headers)


def _read(location: str, most: int) -> Document:
    path = Path(unquote(location.removeprefix("file://")) if location.startswith("file://") else location)
    with path.open("rb") as file:
        body = file.read(most + 1)
    _check_size(body, location, most)
    return Document(location, body)


def _check_size(body: bytes | bytearray, location: str, most: int) -> None:
    if len(body) > most:
        raise ProviderFailed(f"{without_secrets(location)} is larger than {most // 1024**2} MiB")
