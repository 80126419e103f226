"""Exchanges with one server, or a master: commands and their answers, over the pool of redis-py's client.

What the client itself does around a command takes us twice as long as the exchange: a task and a timer to write,
another timer to read, and measurements that nobody takes. Here one timer bounds both, and hiredis writes the commands,
as it does for redis-py's blocking connections.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import hiredis
from redis.asyncio import Redis

from personalize.fleet.script import Argument

Command: TypeAlias = Sequence[Argument]
"""Its name and its arguments."""


class Exchanges:
    """Runs commands on connections of a client's pool.

    Args:
        client: whose pool it is; its connections are bounded by exchanges alone from now on.
        seconds: what an exchange may take once there is a connection.
        settling: what there may be before that: to find out where to connect, and to connect.
    """

    def __init__(self, client: Redis, seconds: float, *, settling: float) -> None:
        self._pool = client.connection_pool
        self._pool.connection_kwargs["socket_timeout"] = None
        self._seconds = seconds
        self._settling = settling

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Return the answers to commands that are sent together.

        Raises:
            RedisError: the first error among the answers, or why Redis cannot be reached.
            TimeoutError: not all were answered in time; the connection is closed.
        """
        async with asyncio.timeout(self._settling) as limit:
            connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]  # redis-py's, untyped
            try:
                limit.reschedule(asyncio.get_running_loop().time() + self._seconds)
                await connection.send_packed_command([_packed(command) for command in commands])
                return [await connection.read_response() for _ in commands]
            except BaseException:
                if len(commands) > 1:  # there may be answers that nobody reads any more
                    await connection.disconnect(nowait=True)
                raise
            finally:
                await self._pool.release(connection)


def _packed(command: Command) -> bytes:
    """Return a command as it goes over the wire."""
    arguments = cast("tuple[Argument]", tuple(command))  # of any length, whatever the stub says
    packed: bytes = hiredis.pack_command(arguments)
    return packed
