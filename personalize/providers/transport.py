"""httpx's transport, but for where it connects: a name is looked up once, and only what was checked is connected to."""

import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address

import aiohttp
import httpx

from personalize.providers.addresses import is_public, is_spelled_strangely, written

LOOKUP_SECONDS = 1.0
LOOKUPS = 2
"""How long a name server is given at first, and how often it is asked: 3 s in all."""

Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""Finds a name's addresses; raises `OSError`."""


class NotPublic(httpx.ConnectError):
    """A URL leads to no public address, and only those may be asked."""


class CheckedTransport(httpx.AsyncBaseTransport):
    """Sends requests to public addresses, or to any.

    The connection is made to the very address that was checked: a name that is looked up a second time may have another
    one by then. TLS and the `Host` header go by the name. No connection is kept, since httpx would keep it by its
    address, and give it to another name there.

    Args:
        private: whether any address will do.
        lookup: finds addresses; c-ares, unless a test brings its own.
        inner: what sends to an address, in place of connections.

    Raises:
        NotPublic: by whoever sends a request that leads elsewhere.
    """

    def __init__(
        self, *, private: bool, lookup: Lookup | None = None, inner: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._private = private
        self._names = Names()
        self._lookup: Lookup = lookup or self._names
        self._senders = {} if inner is None else {"http": inner, "https": inner}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request to the first address that takes it."""
        if request.url.scheme not in {"http", "https"}:
            raise httpx.UnsupportedProtocol("neither http nor https")
        addresses = await self.addresses(request.url)
        sender = self._sender(request.url.scheme)
        failure: httpx.TransportError = httpx.ConnectError("no address")
        for address in addresses:
            try:
                return await sender.handle_async_request(_sent_to(address, request))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure

    async def addresses(self, url: httpx.URL) -> list[str]:
        """Return where a URL may be asked.

        Raises:
            NotPublic: nowhere.
            httpx.ConnectError: it has no address.
        """
        host = url.raw_host.decode()
        if is_spelled_strangely(host) and not self._private:
            raise NotPublic(host)
        try:
            found = [host] if written(host) else await self._lookup(host)
        except OSError:
            raise httpx.ConnectError("no such name") from None
        allowed = [one for one in found if self._private or is_public(ip_address(one))]
        if found and not allowed:
            raise NotPublic(host)
        return allowed

    async def aclose(self) -> None:
        """Close what was opened."""
        for sender in self._senders.values():
            await sender.aclose()
        await self._names.aclose()

    def _sender(self, scheme: str) -> httpx.AsyncBaseTransport:
        """Return what sends by a scheme, made on first use: much is imported for it, and read for https."""
        if scheme not in self._senders:
            self._senders[scheme] = _connections(tls=scheme == "https")
        return self._senders[scheme]


class Names:
    """Looks names up without a thread, which could not be called back from a name server that is silent."""

    def __init__(self) -> None:
        self._resolver: aiohttp.AsyncResolver | None = None

    async def __call__(self, host: str) -> list[str]:
        """Return a name's addresses, the best first.

        Raises:
            OSError: there are none, or nobody says.
        """
        if is_spelled_strangely(host):
            return [socket.inet_ntoa(socket.inet_aton(host))]
        self._resolver = self._resolver or aiohttp.AsyncResolver(timeout=LOOKUP_SECONDS, tries=LOOKUPS)
        return [one["host"] for one in await self._resolver.resolve(host, family=socket.AF_UNSPEC)]

    async def aclose(self) -> None:
        """Stop asking."""
        if self._resolver is not None:
            await self._resolver.close()


def _connections(*, tls: bool) -> httpx.AsyncHTTPTransport:
    # Without TLS a context that trusts nobody will do: to read whom the usual one trusts takes 40 ms.
    verify = True if tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncHTTPTransport(verify=verify, trust_env=False, limits=limits)


def _sent_to(address: str, request: httpx.Request) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.raw_host.decode()},
    )
