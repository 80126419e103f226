"""By which replicas tell each other what was forgotten.

While Redis is away nobody hears, and nobody thinks that he does: `live_since` is `None` after a second without a sound.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from redis.asyncio.client import PubSub, Redis

from personalize.fleet.address import Limits
from personalize.fleet.connection import FAILURES, Connection
from personalize.fleet.master import Master, stopping
from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics

SILENCE_SECONDS = 1.0
"""After so long without proof nobody knows whether something was missed."""

PING_SECONDS = 0.3
MAX_UNANSWERED = 4
"""With so many pings unanswered the connection is made anew. Pings are counted, not seconds: when the process itself
was held up, the answers are there and only have to be read."""

RECONNECT_SECONDS = (0.1, 0.4)
DEAF_SECONDS = 2.0
"""After so long without a subscription it is told: one that was made anew at once is not worth a line."""

LIMITS = Limits(seconds=0.5, connections=1)


class Invalidations:
    """Messages of forgotten profiles' keys, over publish and subscribe (Redis documentation: Pub/Sub).

    Delivery is at most once: who must know asks `live_since` whether a message can have been missed. Through Sentinels
    the master is listened to, and a master that was replaced on order for a second longer; in a Cluster any node, as
    each passes every message on.

    Args:
        connection: the fleet's connection; listening takes another one to the same Redis.
        channel: where this deployment's messages go.
        metrics: says whether other replicas are heard.
        clock: a monotonic time in seconds.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        channel: str,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._clock = clock
        self._subscribed_at: float | None = None
        self._proved_at = 0.0
        self._deaf_since: float | None = None
        self._told = False
        metrics.watch(metrics.invalidations_heard, lambda: self._subscribed_at is not None)

    @property
    def live_since(self) -> float | None:
        """The monotonic time since which no message was missed; `None` while nobody knows."""
        silent = self._clock() - self._proved_at > SILENCE_SECONDS
        return None if silent else self._subscribed_at

    async def tell(self, keys: Sequence[str]) -> bool:
        """Tell every replica, this one too, that profiles were forgotten; return whether Redis took it."""
        return await self._connection.publish(self._channel, " ".join(keys).encode())

    async def listen(self, heard: Callable[[str], None]) -> None:
        """Call `heard` with every key that any replica tells, until cancelled; connect again whenever it must be."""
        while not stopping():
            try:
                await self._listen_once(heard)
            except FAILURES as error:
                self._failed(error)
            await asyncio.sleep(random.uniform(*RECONNECT_SECONDS))  # noqa: S311 -- so that replicas do not come at once

    async def _listen_once(self, heard: Callable[[str], None]) -> None:
        """Listen to one server, until it is silent or no longer the one to listen to."""
        client = self._connection.listener(LIMITS)
        async with self._subscribed(client) as messages:
            hearing = asyncio.create_task(self._hear(messages, heard), name="invalidations heard")
            ends = {hearing}
            if isinstance(client, Master):
                ends.add(asyncio.create_task(client.moved(), name="invalidations moved"))
            try:
                done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in ends:
                    task.cancel()
                await asyncio.gather(*ends, return_exceptions=True)

    @asynccontextmanager
    async def _subscribed(self, client: Redis) -> AsyncIterator[PubSub]:
        messages = client.pubsub()
        try:
            self._proved_at = self._clock()
            await messages.subscribe(self._channel)
            if stopping():
                raise asyncio.CancelledError
            yield messages
        finally:
            self._subscribed_at = None
            with suppress(*FAILURES):  # which must not stand in for being cancelled
                await messages.aclose()  # type: ignore[no-untyped-call]  # redis-py's, untyped
                await client.aclose()

    async def _hear(self, messages: PubSub, heard: Callable[[str], None]) -> None:
        """Pass messages on, until pings stay unanswered.

        An answer is proof for the time of its ping and none for later: it may have been lying here for long, and on the
        wire it comes after all that was told before.

        Raises:
            TimeoutError: nothing was heard for too long.
        """
        pings: deque[float] = deque()
        while len(pings) < MAX_UNANSWERED and not stopping():
            pings.append(self._clock())
            await messages.ping()
            next_ping_at = pings[-1] + PING_SECONDS
            while (left := next_ping_at - self._clock()) > 0 and not stopping():
                message = await messages.get_message(timeout=left)
                if message is None:
                    break
                if message["type"] == "subscribe":
                    self._succeeded()
                elif message["type"] == "message":
                    for key in message["data"].decode(errors="replace").split():
                        heard(key)
                elif message["type"] == "pong" and pings:
                    self._proved_at = pings.popleft()
                await asyncio.sleep(0)  # a flood of messages must leave the others their turn
        raise TimeoutError

    def _succeeded(self) -> None:
        self._subscribed_at = self._clock()
        self._deaf_since = None
        if self._told:
            self._told = False
            logs.invalidations_heard()

    def _failed(self, error: Exception) -> None:
        if self._deaf_since is None:
            self._deaf_since = self._clock()
        elif not self._told and self._clock() - self._deaf_since >= DEAF_SECONDS:
            self._told = True
            logs.invalidations_unheard(error)
