"""redis-py's client of the master that Sentinels name, made to leave one that still answers but is none any more."""

import asyncio
from contextlib import suppress

from redis.asyncio import Redis
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.exceptions import RedisError

LOOK_SECONDS = 1.0
"""How often the Sentinels are to be asked whether the master is another one."""


def stopping() -> bool:
    """Whether this task was cancelled: redis-py may take a cancellation that meets a time limit for the latter."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Master(Redis):
    """The client, with those of the Sentinels.

    redis-py asks the Sentinels only to connect. A master that is replaced on order lives on for about ten seconds as a
    second one, until the Sentinels make it a replica: what is written there is lost, what is told there is not heard.
    """

    @classmethod
    def named(cls, service: str, sentinel: Sentinel) -> "Master":
        """Return a client of what the Sentinels call their master."""
        master: Master = sentinel.master_for(service, redis_class=cls, connection_pool_class=_Connections)
        return master

    async def look(self) -> bool:
        """Ask the Sentinels again; leave the master if it is another by now, and return whether it is.

        Raises:
            RedisError: no Sentinel named a master in time.
        """
        before = self._connections.master_address
        return before not in {None, await self._connections.get_master_address()}

    async def moved(self) -> None:
        """Return once the Sentinels name another master."""
        while not stopping():
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(RedisError, OSError, RuntimeError):
                if await self.look():
                    return

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001 -- redis-py's signature
        """Close every connection."""
        await super().aclose(close_connection_pool)
        await self._connections.sentinel_manager.aclose()

    @property
    def _connections(self) -> "_Connections":
        assert isinstance(self.connection_pool, _Connections)  # noqa: S101 -- narrows
        return self.connection_pool


class _Connections(SentinelConnectionPool):
    """Connections to the master; those in use when it is found to be another end with their operation."""

    async def get_master_address(self) -> tuple[str, int]:
        """Return where the master is, and leave the one before."""
        before = self.master_address
        address: tuple[str, int] = await super().get_master_address()  # type: ignore[no-untyped-call]  # redis-py's, untyped
        if before not in {None, address}:
            await self.update_active_connections_for_reconnect()  # type: ignore[no-untyped-call]  # redis-py's, untyped
        return address
