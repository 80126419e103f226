"""Clients: whom a request counts for."""

from starlette.requests import Request

from personalize.trust.access import Caller
from personalize.trust.addresses import Proxies
from personalize.trust.limits import Client, ClientAllowance, Limits


class Clients:
    """Knows each request's client: one of our own servers by its key, anybody else by the address.

    Args:
        limits: count what each lets be read.
        proxies: who is believed about addresses.
    """

    def __init__(self, limits: Limits, proxies: Proxies) -> None:
        self._limits = limits
        self._proxies = proxies

    def allowance(self, request: Request, caller: Caller) -> ClientAllowance:
        """Return what a request may let be read; an answer from memory never asks for the address."""
        return self._limits.allowance(lambda: self._client(request, caller))

    def _client(self, request: Request, caller: Caller) -> Client:
        if caller.server is not None:
            return Client("key", caller.server)
        peer = request.client.host if request.client else None
        return Client("address", self._proxies.client_of(peer, request.headers.getlist("X-Forwarded-For")))
