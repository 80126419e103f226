"""The bytes behind a URL or a file path: bounded in size, time and redirects, and silent about secrets."""

import asyncio
import re
from contextlib import aclosing
from pathlib import Path
from urllib.parse import unquote

import httpx

from personalize.errors import ProviderFailed

MAX_BYTES = 5 * 1024 * 1024
"""Of a decoded body: a feed of 1,000 full articles takes about 4 MiB."""

MAX_REDIRECTS = 3
"""http → https → www → a moved feed is the longest honest way."""

TOTAL_SECONDS = 10.0
"""For everything, since httpx's own timeouts are per chunk and a trickle would never end. Nobody waits for it."""

_HTTP = re.compile(r"(?P<scheme>https?://)(?:[^/?#]*@)?(?P<place>[^?#]*)", re.IGNORECASE)
_HEADERS = {
    "Accept": "application/rss+xml, application/atom+xml, application/xml;q=0.9, */*;q=0.5",
    "Accept-Encoding": "gzip",  # expands a chunk at most a thousandfold before it is counted; others know no bound
}

_REASONS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    ((httpx.InvalidURL, ValueError), "is neither a URL nor a path"),
    (httpx.UnsupportedProtocol, "does not lead to an http(s) URL"),
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


def new_client() -> httpx.AsyncClient:
    """Return a client to fetch with, for whoever opens and closes it: it believes no proxy of the environment."""
    return httpx.AsyncClient(headers={"User-Agent": "personalize"}, follow_redirects=False, trust_env=False)


async def fetch(location: str, client: httpx.AsyncClient, *, seconds: float = TOTAL_SECONDS) -> bytes:
    """Return what an http(s) URL, a `file://` URL or a file path holds.

    Args:
        location: where to read; a URL's user and password are sent as basic authentication.
        client: any client. httpx's pool dies when many waiting requests are cancelled, but a poller makes one
            request at a time, so that a plain one is fine.
        seconds: how long it may take in all.

    Raises:
        ProviderFailed: with a reason that names the location without its credentials and query.
    """
    read = _download(location, client) if _HTTP.match(location) else asyncio.to_thread(_read, location)
    try:
        async with asyncio.timeout(seconds):
            return await read
    except _FOREIGN as error:
        reason = next(reason for kind, reason in _REASONS if isinstance(error, kind))
        # Not `from error`: its message may quote the URL.
        raise ProviderFailed(f"{without_secrets(location)} {reason}") from None


def without_secrets(location: str) -> str:
    """Return a location as it may be shown: scheme, host, port and path of an http(s) URL, all of a file's path."""
    url = _HTTP.match(location)
    return url["scheme"] + url["place"] if url else location


async def _download(location: str, client: httpx.AsyncClient) -> bytes:
    request = client.build_request("GET", location, headers=_HEADERS)
    for _ in range(MAX_REDIRECTS + 1):
        response = await client.send(request, stream=True, follow_redirects=False)
        async with aclosing(response):
            if response.next_request is None:
                return await _whole(response, location)
            request = response.next_request
    raise ProviderFailed(f"{without_secrets(location)} redirects more than {MAX_REDIRECTS} times")


async def _whole(response: httpx.Response, location: str) -> bytes:
    if response.status_code != httpx.codes.OK:
        raise ProviderFailed(f"{without_secrets(location)} answered {response.status_code}")
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        _check_size(body, location)
    return bytes(body)


def _read(location: str) -> bytes:
    path = Path(unquote(location.removeprefix("file://")) if location.startswith("file://") else location)
    with path.open("rb") as file:
        body = file.read(MAX_BYTES + 1)
    _check_size(body, location)
    return body


def _check_size(body: bytes | bytearray, location: str) -> None:
    if len(body) > MAX_BYTES:
        raise ProviderFailed(f"{without_secrets(location)} is larger than {MAX_BYTES // 1024**2} MiB")
