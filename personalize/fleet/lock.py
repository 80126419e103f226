"""Locks by which one replica does what one is enough for. While Redis is away everybody may do it."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from personalize.fleet.budget import GRANT, Budget
from personalize.fleet.connection import Connection
from personalize.fleet.script import Argument, Script

TAKE = Script(
    """
    local taken = redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('GET', KEYS[1]) == ARGV[1]
    return {taken and 1 or 0, redis.call('HMGET', KEYS[2], unpack(ARGV, 3))}
    """
)
"""Take a lock that nobody else holds, and read fields of a hash: what its last holder left is among them."""

LOOK = Script(
    GRANT
    + """
    local budget, width, found, granted = tonumber(ARGV[3]), #ARGV - 6, {}, 0
    local plenty = budget > 0
    local function take(lock)
        local taken = redis.pcall('SET', lock, ARGV[1], 'NX', 'PX', ARGV[2])
        if not taken then return redis.call('GET', lock) == ARGV[1] end
        if taken.err then return false end
        plenty = plenty and grant(KEYS[#KEYS - 1], KEYS[#KEYS], ARGV[4], ARGV[5], ARGV[6])[1] == 0
        if plenty then granted = granted + 1 end
        return true
    end
    for first = 1, #KEYS - budget, width do
        local values = redis.call('HMGET', KEYS[first], unpack(ARGV, 7))
        for place = 2, width do
            values[width + place - 1] = not values[place] and take(KEYS[first + place - 1]) and 1 or 0
        end
        found[#found + 1] = values
    end
    return {granted, found}
    """
)
"""Read the same fields of several hashes, and take the locks of those that are not there, each with a call to read it.

The keys are each hash and the locks of its fields, of which the first has none; then the budget's, if calls may be
taken. The arguments are those of the locks, how many keys the budget has here, its numbers, and the fields. Each hash's
values are followed by which of its locks are ours. A server that is full is read all the same.
"""

RELEASE = Script(
    """
    if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
    return 0
    """
)
"""Give back what is still one's own: after its time somebody else may have it."""


NO_BUDGET: tuple[Sequence[str], Sequence[Argument]] = ((), (0, 0, 0))
"""The keys and the numbers where no calls are to be taken."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether a lock is ours, and what it is about; `None` where Redis does not answer."""

    ours: bool
    fields: Sequence[bytes | None] | None


class Locks:
    """Short locks over Redis, which save work and guard nothing: one that is lost costs work done twice, never a wait.

    They are a process': what one of its parts holds no other need wait for, since they know of each other. So what
    Redis took, and was not heard to, is no hindrance to whoever asks for it again.

    Args:
        connection: the fleet's connection; without one there is nobody else.
        budget: what the calls are taken from that locks are taken for; without one they are not.
    """

    def __init__(self, connection: Connection | None, budget: Budget | None = None) -> None:
        self._connection = connection
        self._budget = budget
        self._token = secrets.token_hex(8)

    async def take(self, name: str, *, seconds: float, key: str, fields: Sequence[str]) -> Taken:
        """Take a lock, and read fields of a hash in the same slot, in one round trip.

        Where Redis does not answer, nobody holds it. Perhaps it does take it later: so it is to be released, too.
        """
        if self._connection is None:
            return Taken(ours=True, fields=None)
        arguments: list[Argument] = [self._token, _milliseconds(seconds), *fields]
        answer = await self._connection.evaluate("lock", TAKE, [name, key], arguments)
        if answer is None:
            return Taken(ours=True, fields=None)
        taken, read = cast("tuple[int, list[bytes | None]]", answer)
        return Taken(bool(taken), read)

    async def look(
        self, hashes: Sequence[tuple[str, Sequence[str]]], fields: Sequence[str], *, seconds: float
    ) -> Sequence[tuple[Sequence[bytes | None], Sequence[bool]]] | None:
        """Read fields of hashes, and take the locks of those that are not there, in one round trip.

        With each lock that nobody held comes a call of the budget's, as long as there are some to spare.

        Args:
            hashes: each one's key, with the key of a lock for each field but the first.
            fields: what is read of each.
            seconds: for how long a lock is held at the most.

        Returns the values of each hash, and which of its locks are ours now; `None` where Redis does not answer.
        """
        if self._connection is None:
            return None
        budget, numbers = (self._budget and self._budget.grantable) or NO_BUDGET
        keys = [one for key, locks in hashes for one in (key, *locks)]
        arguments: list[Argument] = [self._token, _milliseconds(seconds), len(budget), *numbers, *fields]
        answer = await self._connection.evaluate("read", LOOK, [*keys, *budget], arguments)
        if answer is None:
            return None
        granted, found = cast("tuple[int, list[list[Any]]]", answer)
        if self._budget is not None:
            self._budget.granted(granted)
        width = len(fields)
        return [(one[:width], [taken == 1 for taken in one[width:]]) for one in found]

    async def release(self, name: str) -> None:
        """Let others have it."""
        if self._connection is not None:
            await self._connection.evaluate("unlock", RELEASE, [name], [self._token])


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))
