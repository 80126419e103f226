"""By which replicas tell each other what was forgotten. Without Redis nobody hears, and nobody thinks that he does."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from personalize.fleet.address import Limits, close
from personalize.fleet.connection import FAILURES, Connection

SILENCE_SECONDS = 1.0
"""After so long without a sound nobody knows whether something was missed."""

PING_SECONDS = 0.3
GIVE_UP_SECONDS = 2.0
"""After so long without a sound the connection is made anew."""

RECONNECT_SECONDS = (0.1, 0.4)
LIMITS = Limits(seconds=1.0, connections=4)


class Invalidations:
    """Messages of forgotten profiles' keys, over publish and subscribe (Redis documentation: Pub/Sub).

    Delivery is at most once: a replica asks `live_since` whether it can have missed one.

    Args:
        connection: the fleet's connection; listening takes another one to the same Redis.
        channel: where this deployment's messages go.
        clock: a monotonic time in seconds.
    """

    def __init__(self, connection: Connection, *, channel: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection = connection
        self._channel = channel
        self._clock = clock
        self._subscribed_at: float | None = None
        self._heard_at = 0.0

    @property
    def live_since(self) -> float | None:
        """The time since which nothing was missed; `None` while nobody knows."""
        silent = self._clock() - self._heard_at > SILENCE_SECONDS
        return None if silent else self._subscribed_at

    async def tell(self, keys: Sequence[str]) -> bool:
        """Tell every replica, this one too, that profiles were forgotten; return whether Redis took it."""
        return await self._connection.publish(self._channel, " ".join(keys).encode())

    async def listen(self, heard: Callable[[str], None]) -> None:
        """Call `heard` with every key that any replica tells, until cancelled; connect again whenever it must be."""
        while not _stopping():
            with suppress(*FAILURES, KeyError):  # a KeyError: a slot that no node has just now
                await self._subscribe(heard)
            self._subscribed_at = None
            await asyncio.sleep(random.uniform(*RECONNECT_SECONDS))  # noqa: S311 -- so that replicas do not come at once

    async def _subscribe(self, heard: Callable[[str], None]) -> None:
        client = self._connection.another(LIMITS)
        try:
            await client.initialize()  # a Cluster's client finds a channel's node only once it knows the nodes
            messages = client.pubsub()
            try:
                await messages.subscribe(self._channel)
                self._heard_at = self._clock()
                while self._clock() - self._heard_at < GIVE_UP_SECONDS and not _stopping():
                    await self._next(messages, heard)
            finally:
                await messages.aclose()  # type: ignore[no-untyped-call]
        finally:
            await close(client)

    async def _next(self, messages: Any, heard: Callable[[str], None]) -> None:  # noqa: ANN401 -- redis-py's, untyped
        message = await messages.get_message(timeout=PING_SECONDS)
        if message is None:
            await messages.ping()
            return
        self._heard_at = self._clock()
        if message["type"] == "subscribe":
            self._subscribed_at = self._clock()
        elif message["type"] == "message":
            for key in message["data"].decode().split():
                heard(key)


def _stopping() -> bool:
    """Whether this task was cancelled: redis-py may take a cancellation that meets a time limit for the latter."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
