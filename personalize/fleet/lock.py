"""Locks by which one replica does what one is enough for. While Redis is away everybody may do it."""

import secrets

from personalize.fleet.connection import Connection
from personalize.fleet.script import Script

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
        self._token = token

    async def release(self) -> None:
        """Let others have it."""
        if self._connection is not None:
            await self._connection.evaluate("unlock", RELEASE, [self._name], [self._token])


class Locks:
    """Short locks over Redis, which save work and guard nothing: one that is lost costs work done twice, never a wait.

    Args:
        connection: the fleet's connection; without one there is nobody else.
    """

    def __init__(self, connection: Connection | None) -> None:
        self._connection = connection

    async def take(self, name: str, *, seconds: float) -> Lease | None:
        """Return a lease, or `None` when somebody else holds it; where Redis does not answer, nobody does."""
        token = secrets.token_hex(8)
        if self._connection is None:
            return Lease(None, name, token)
        taken = await self._connection.set_if_absent(name, token, expire_ms=max(1, int(seconds * 1000)))
        if taken is None:
            return Lease(None, name, token)
        return Lease(self._connection, name, token) if taken else None
