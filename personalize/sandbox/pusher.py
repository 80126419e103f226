"""Pushing: calls to somebody else's URL, in the background. The only HTTP client of the sandbox is here."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import msgspec

WAITING = 1000
"""Calls that may wait for their turn; further ones are dropped."""

TRIES = 3
FIRST_WAIT = 0.2
"""Seconds before the second try; each further wait is twice as long."""

TIMEOUT = 5
"""Seconds that a receiver has, as Segment's own."""

LAST_PORT = 65535

Transport = httpx.AsyncBaseTransport
Wait = Callable[[float], Awaitable[None]]


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where calls go, and the secret that signs them; without one they are not signed."""

    url: str
    secret: str | None = None

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL:
            url = httpx.URL("")
        if url.scheme not in {"http", "https"} or not url.host or (url.port or 0) > LAST_PORT:
            raise ValueError("`url` has to be an http or https URL")

    def headers(self, body: bytes) -> dict[str, str]:
        """Return the headers of a call: `X-Signature` is the hexadecimal HMAC-SHA1 of its body."""
        headers = {"Content-Type": "application/json"}
        if self.secret:
            headers["X-Signature"] = hmac.new(self.secret.encode(), body, hashlib.sha1).hexdigest()
        return headers


class Tally(msgspec.Struct):
    """What became of calls: taken by the receiver, given up after some tries, or dropped as too many were waiting."""

    delivered: int = 0
    failed: int = 0
    dropped: int = 0


class Pusher:
    """Sends calls one after another, so that they arrive in order; a receiver that does not take one is tried again.

    Args:
        target: where calls go; None is nowhere, until somebody says so.
        transport: carries the calls; None is the network.
        wait: waits for some seconds before another try.
    """

    def __init__(self, target: Target | None, transport: Transport | None, wait: Wait = asyncio.sleep) -> None:
        self.target = target
        self.tally = Tally()
        self._transport = transport
        self._wait = wait
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(WAITING)

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return self._waiting.qsize()

    def push(self, body: bytes) -> None:
        """Send a call some time soon; this never waits."""
        try:
            self._waiting.put_nowait(body)
        except asyncio.QueueFull:
            self.tally.dropped += 1

    async def settled(self) -> None:
        """Wait until every call was sent, or given up."""
        await self._waiting.join()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send calls while the body runs; those that still wait at its end are not sent."""
        async with httpx.AsyncClient(transport=self._transport, timeout=TIMEOUT, trust_env=False) as client:
            task = asyncio.create_task(self._run(client), name="sandbox-pusher")
            try:
                yield
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _run(self, client: httpx.AsyncClient) -> None:
        while True:
            body = await self._waiting.get()
            if await self._delivered(client, body):
                self.tally.delivered += 1
            else:
                self.tally.failed += 1
            self._waiting.task_done()

    async def _delivered(self, client: httpx.AsyncClient, body: bytes) -> bool:
        """Send a call until it is taken; return whether it was."""
        for attempt in range(TRIES):
            if attempt:
                await self._wait(FIRST_WAIT * 2 ** (attempt - 1))
            if await self._taken(client, body):
                return True
        return False

    async def _taken(self, client: httpx.AsyncClient, body: bytes) -> bool:
        target = self.target
        if target is None:  # since it was pushed
            return False
        try:
            answer = await client.post(target.url, content=body, headers=target.headers(body))
        except (httpx.HTTPError, ValueError):  # the latter for a host whose name cannot be written as DNS does
            return False
        return answer.is_success
