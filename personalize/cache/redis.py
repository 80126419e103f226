"""The tier that replicas share: one Redis hash a profile, one field a section."""

import math
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from typing import TypeAlias

import msgspec

from personalize.cache import entry
from personalize.cache.aliases import room_of
from personalize.cache.amendment import Amend, Outcome, Record
from personalize.cache.batches import Batches
from personalize.cache.store import Claim, Known, Stamp
from personalize.fleet import patience
from personalize.fleet.connection import Connection
from personalize.fleet.invalidations import Invalidations
from personalize.fleet.lock import Locks
from personalize.fleet.script import Argument, Script
from personalize.model import AnySection, SectionName
from personalize.telemetry import logs

KEY = "personalize:{%s}"
"""The braces make one profile one slot of a Redis Cluster; the name inside is a keyed hash, never an id."""

STAMP = "stamp"
"""The field whose value changes with every forgetting and every amendment."""

SAID = "said"
"""The field that tells for traits until when their changes are accounted for."""

LEASE_SECONDS = 3.0
"""For how long a replica that died keeps the others from knowing that nobody reads: a little longer than any read."""

TRUST_SECONDS = 1.0
"""For how long what was compared is believed while nothing is heard from other replicas."""

TRIES = 5
"""Times that an amendment is made anew since somebody else has changed the profile meanwhile."""

WRITE = Script(
    """
    if (redis.call('HGET', KEYS[1], 'stamp') or '') ~= ARGV[3] then return 0 end
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
    if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
    return 1
    """
)
"""Keep a section, unless the profile was forgotten while it was being read: that read must not bring it back.

The expiry is only ever lengthened: that one section is not there must not shorten the life of another.
"""

FORGET = Script(
    """
    redis.call('DEL', KEYS[1])
    local time = redis.call('TIME')
    redis.call('HSET', KEYS[1], 'stamp', time[1] .. '.' .. time[2])
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    return 1
    """
)
"""Forget a profile, and leave a new stamp. Deleting comes first: a server that is full refuses scripts that begin
otherwise."""

AMEND = Script(
    """
    for i = 2, #ARGV, 3 do
        if (redis.call('HGET', KEYS[1], ARGV[i]) or '') ~= ARGV[i + 1] then return 0 end
    end
    redis.call('HDEL', KEYS[1], 'stamp')
    for i = 2, #ARGV, 3 do
        if ARGV[i + 2] == '' then redis.call('HDEL', KEYS[1], ARGV[i])
        else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2]) end
    end
    local time = redis.call('TIME')
    redis.call('HSET', KEYS[1], 'stamp', time[1] .. '.' .. time[2])
    if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
    return 1
    """
)
"""Replace fields of a profile if they are what they were, and leave a new stamp. Deleting comes first here, too."""

RELATE = Script(
    """
    for i = 3, #ARGV do
        if redis.call('SCARD', KEYS[1]) < tonumber(ARGV[2]) then redis.call('SADD', KEYS[1], ARGV[i]) end
    end
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    """
)
"""Remember keys of the same person; the ones that came first stay."""


_Question: TypeAlias = tuple[str, tuple[SectionName, ...]]
"""Whose sections, and which."""

_Ask: TypeAlias = Callable[[Sequence[_Question]], Awaitable[Sequence[Known] | None]]
"""Answers questions in their order, or not at all."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """Seconds after which Redis itself forgets a profile, and one that does not exist: made-up ids must not fill it."""

    known: float
    unknown: float


class RedisStore:
    """Keeps sections encoded; where Redis is away it has nothing and keeps nothing.

    Args:
        connection: the fleet's connection, which bounds and absorbs every failure.
        locks: by which one replica reads for all.
        invalidations: by which replicas tell each other what was forgotten.
        expiry: when Redis itself forgets.
        clock: a monotonic time in seconds.
    """

    def __init__(
        self,
        connection: Connection,
        locks: Locks,
        invalidations: Invalidations,
        expiry: Expiry,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._locks = locks
        self._invalidations = invalidations
        self._expire_ms = int(expiry.known * 1000)
        self._expire_unknown_ms = int(expiry.unknown * 1000)
        self._clock = clock
        self._reads = Batches(partial(self._answered, self._read), most=connection.most_keys)
        self._looks = Batches(partial(self._answered, self._look), most=connection.most_keys)

    async def read(self, key: str, names: Iterable[SectionName], *, claiming: bool = False) -> Known | None:
        """Return what is known of a profile's named sections; `None` if Redis does not answer.

        Profiles that are asked for at the same time share a round trip, which costs each of those requests its time; a
        crowd that comes for one profile is one of them.
        """
        if not self._connection.waited_for:
            return None
        known, seconds = await (self._looks if claiming else self._reads).ask((key, tuple(names)))
        patience.spend(seconds)
        return known

    async def _answered(self, ask: _Ask, asked: Sequence[_Question]) -> Sequence[tuple[Known | None, float]]:
        """Ask for all, and return each answer with the seconds that it took of a request's patience."""
        endless = patience.Patience(math.inf)  # one's want of it is not to leave the others without an answer
        with patience.hurried(endless):
            known = await ask(asked)
        return [(known[place] if known else None, endless.spent) for place in range(len(asked))]

    async def _look(self, asked: Sequence[_Question]) -> Sequence[Known] | None:
        """Read the same sections of several profiles, and claim what is not there; others are only read."""
        (_, names), *others = asked
        if any(theirs != names for _, theirs in others):
            return await self._read(asked)
        hashes = [(KEY % key, [_lock(key, name) for name in names]) for key, _ in asked]
        found = await self._locks.look(hashes, (STAMP, *names), seconds=LEASE_SECONDS)
        if found is None:
            return None
        return [_known(names, fields, tuple(compress(names, ours))) for fields, ours in found]

    async def _read(self, asked: Sequence[_Question]) -> Sequence[Known] | None:
        found = await self._connection.read_hashes([(KEY % key, (STAMP, *names)) for key, names in asked])
        if found is None:
            return None
        return [_known(names, fields) for (_, names), fields in zip(asked, found, strict=True)]

    async def write(self, key: str, name: SectionName, section: AnySection, stamp: Stamp) -> None:
        """Keep one section, unless the profile was forgotten since it had this stamp; one round trip."""
        expire_ms = self._expire_unknown_ms if section.content is None else self._expire_ms
        await self._connection.evaluate("write", WRITE, [KEY % key], [name, entry.encode(section), stamp, expire_ms])

    async def claim(self, key: str, name: SectionName) -> Claim:
        """Ask for the right to read a section, which one replica has at a time, and for what is known of it then."""
        taken = await self._locks.take(_lock(key, name), seconds=LEASE_SECONDS, key=KEY % key, fields=[STAMP, name])
        return Claim(taken.ours, None if taken.fields is None else _known([name], taken.fields))

    async def release(self, key: str, name: SectionName) -> None:
        """Let other replicas read a section."""
        await self._locks.release(_lock(key, name))

    async def relate(self, key: str, others: Iterable[str], *, proven: bool) -> None:
        """Remember that other profiles' keys stand for the same person."""
        arguments: list[Argument] = [self._expire_ms, room_of(proven=proven), *others]
        await self._connection.evaluate("relate", RELATE, [_aliases(key)], arguments)

    async def related(self, key: str) -> frozenset[str] | None:
        """Return the keys that stand for the same person; `None` if Redis does not answer."""
        members = await self._connection.members(_aliases(key))
        return None if members is None else frozenset(other.decode(errors="replace") for other in members)

    async def part(self, key: str) -> bool:
        """Forget which keys stood for the same person; return whether Redis took it."""
        return await self._connection.delete(_aliases(key))

    async def forget(self, key: str) -> bool:
        """Forget a profile and change its stamp; return whether Redis took it."""
        return await self._connection.evaluate("forget", FORGET, [KEY % key], [self._expire_ms]) is not None

    async def amend(self, key: str, amend: Amend) -> Outcome | None:
        """Keep what an amendment makes of a profile, and change its stamp; two round trips, if nobody else does."""
        for _ in range(TRIES):
            fields = await self._connection.read_fields(KEY % key, [SAID, *entry.SECTIONS])
            if fields is None:
                return None
            was = dict(zip([SAID, *entry.SECTIONS], fields, strict=True))
            amended = amend(_record(was))
            if amended.outcome == "repeated":
                return amended.outcome
            # As long as memory may keep what was evicted here: a replica that hears nothing compares stamps.
            arguments = [self._expire_ms, *_replacements(was, amended.record)]
            taken = await self._connection.evaluate("amend", AMEND, [KEY % key], arguments)
            if taken is None:
                return None
            if taken:
                return amended.outcome
        return None

    async def tell(self, keys: Iterable[str]) -> bool:
        """Tell every replica that these profiles were forgotten; return whether Redis took it."""
        return await self._invalidations.tell(list(keys))

    async def listen(self, heard: Callable[[str], None]) -> None:
        """Call `heard` with each profile that any replica tells to be forgotten, until cancelled."""
        await self._invalidations.listen(heard)

    def trusts(self, checked: float) -> bool:
        """Whether what was compared with Redis at a monotonic time cannot have been forgotten unheard since."""
        live_since = self._invalidations.live_since
        return self._clock() - checked < TRUST_SECONDS if live_since is None else checked >= live_since


def _aliases(key: str) -> str:
    return f"{KEY % key}:aliases"


def _lock(key: str, name: SectionName) -> str:
    return f"{KEY % key}:lock:{name}"


def _known(names: Sequence[SectionName], fields: Sequence[bytes | None], claimed: Sequence[SectionName] = ()) -> Known:
    """Return what a profile's stamp and fields say; what cannot be read is not there."""
    stamp, *values = fields
    sections = {
        name: section
        for name, value in zip(names, values, strict=True)
        if value is not None and (section := _decoded(name, value)) is not None
    }
    return Known(stamp or b"", sections, claimed)


def _decoded(name: SectionName, value: bytes) -> AnySection | None:
    try:
        return entry.decode(name, value)
    except entry.UnreadableEntry:
        logs.cached_value_unreadable(name)
        return None


def _record(fields: Mapping[str, bytes | None]) -> Record:
    """Return what is kept of a profile; what cannot be read is not there."""
    found = {name: _decoded(name, value) for name in entry.SECTIONS if (value := fields[name]) is not None}
    sections = {name: section for name, section in found.items() if section is not None}
    try:
        return Record(sections, msgspec.msgpack.decode(fields[SAID] or b"\x80", type=dict[str, float]))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Record(sections)


def _replacements(was: Mapping[str, bytes | None], record: Record) -> Iterator[Argument]:
    """Yield the name, the old and the new value of what changes, and of what must not have come meanwhile."""
    values: dict[str, bytes] = {name: entry.encode(section) for name, section in record.sections.items()}
    values[SAID] = msgspec.msgpack.encode(record.said)
    for name, old in was.items():
        if old is None or old != values.get(name):
            yield from (name, old or b"", values.get(name, b""))
