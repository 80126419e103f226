"""The pool: httpx's API over aiohttp's connections.

httpx's own pool costs several times more under concurrency, and does not recover once many waiting requests have been
cancelled, which is what deadlines do. aiohttp's does both well; this adapter keeps the parts of httpx that we want: its
request and response types, and its one seam for tests.
"""

from collections.abc import AsyncIterator, Callable

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver
from yarl import URL

CONNECTIONS = 100
"""More than the space's 100 requests/s can keep busy at 200 ms each."""

CONNECT_SECONDS = 0.5
KEEP_ALIVE_SECONDS = 60.0

LOOKUP_SECONDS = 0.3
LOOKUPS = 2
"""How long a name server is given at first, and how often it is asked: 0.8 s in all. Everybody who needs a host waits
for the same lookup, so that one which hangs would outlast the trouble that it hangs on."""

_FOREIGN: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.ClientError, httpx.ReadError),
    (OSError, httpx.ReadError),
)


def resolver() -> AbstractResolver:
    """Return what looks names up, in the running event loop.

    Lookups of the standard library block a thread until they end, and cannot be cancelled: a name server that is silent
    would soon hold all threads that others need.
    """
    return aiohttp.AsyncResolver(timeout=LOOKUP_SECONDS, tries=LOOKUPS)


class PooledTransport(httpx.AsyncBaseTransport):
    """Sends requests over a pool of kept connections; follows nothing, decodes nothing, re-sends nothing.

    URLs go out exactly as they were encoded, so that an id stays one path segment; bodies arrive as they were sent.

    Args:
        connections: at most.
        resolver: makes what looks names up, when the first request is sent.

    Raises:
        httpx.TransportError: from one table; its message is only the kind of failure, for foreign ones quote headers.
    """

    def __init__(self, *, connections: int = CONNECTIONS, resolver: Callable[[], AbstractResolver] = resolver) -> None:
        self._connections = connections
        self._new_resolver = resolver
        self._resolver: AbstractResolver | None = None
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return its response, the body still to be read."""
        try:
            response = await self._opened().request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=request.content or None,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError) as error:
            failure = _failure(error, request)
        else:
            body = _Body(response, request)
            return httpx.Response(response.status, headers=response.raw_headers, stream=body, request=request)
        raise failure

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
        if self._resolver is not None:
            await self._resolver.close()

    def _opened(self) -> aiohttp.ClientSession:
        """Return the session, made on first use because it belongs to the running event loop."""
        if self._session is None:
            self._resolver = self._new_resolver()
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._connections, keepalive_timeout=KEEP_ALIVE_SECONDS, resolver=self._resolver
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
                auto_decompress=False,
                trust_env=False,
            )
            # There is no public switch. A GET that is sent twice unseen would be counted once by the rate budget.
            self._session._retry_connection = False  # noqa: SLF001 -- see above
        return self._session


class _Body(httpx.AsyncByteStream):
    """A response's body, chunk by chunk, as it came over the wire."""

    def __init__(self, response: aiohttp.ClientResponse, request: httpx.Request) -> None:
        self._response = response
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        failure: httpx.TransportError | None = None
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            failure = _failure(error, self._request)
        if failure is not None:
            raise failure

    async def aclose(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        self._response.release()


def _failure(error: Exception, request: httpx.Request) -> httpx.TransportError:
    """Return what httpx would have raised.

    It is raised outside the handler of the foreign error, which therefore is not even its context: that one carries the
    request's headers, and an error reporter that walks contexts would show the access token.
    """
    ours = next(ours for theirs, ours in _FOREIGN if isinstance(error, theirs))
    return ours(type(error).__name__, request=request)
