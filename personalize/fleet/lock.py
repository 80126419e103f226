"""Locks by which one replica does what one is enough for. While Redis is away everybody may do it."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from personalize.fleet.connection import Connection
from personalize.fleet.script import Argument, Script

TAKE = Script(
    """
    local taken = redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
    return {taken and 1 or 0, redis.call('HMGET', KEYS[2], unpack(ARGV, 3))}
    """
)
"""Take a lock that nobody holds, and read fields of a hash after that: what its last holder left is among them."""

RELEASE = Script(
    """
    if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
    return 0
    """
)
"""Give back what is still one's own: after its time somebody else may have it."""


class Lease:
    """A lock that is held until it is released, or its time is over.

    Args:
        connection: where it is held; nowhere while Redis is away.
        name: the lock's key.
        token: what proves that it is this holder's.
    """

    def __init__(self, connection: Connection | None, name: str, token: str) -> None:
        self._connection = connection
        self._name = name
        self.token = token

    async def release(self) -> None:
        """Let others have it."""
        if self._connection is not None:
            await self._connection.evaluate("unlock", RELEASE, [self._name], [self.token])


@dataclass(frozen=True, slots=True)
class Taken:
    """A lease, or none when somebody else holds it, and what the lock is about; `None` where Redis does not answer."""

    lease: Lease | None
    fields: Sequence[bytes | None] | None


class Locks:
    """Short locks over Redis, which save work and guard nothing: one that is lost costs work done twice, never a wait.

    Args:
        connection: the fleet's connection; without one there is nobody else.
    """

    def __init__(self, connection: Connection | None) -> None:
        self._connection = connection

    async def take(self, name: str, *, seconds: float, key: str, fields: Sequence[str]) -> Taken:
        """Take a lock, and read fields of a hash in the same slot, in one round trip.

        Where Redis does not answer, nobody holds it. Perhaps it does take it later: so that lease is released, too.
        """
        lease = Lease(self._connection, name, secrets.token_hex(8))
        if self._connection is None:
            return Taken(lease, None)
        arguments: list[Argument] = [lease.token, max(1, int(seconds * 1000)), *fields]
        answer = await self._connection.evaluate("lock", TAKE, [name, key], arguments)
        if answer is None:
            return Taken(lease, None)
        taken, read = cast("tuple[int, list[bytes | None]]", answer)
        return Taken(lease if taken else None, read)
