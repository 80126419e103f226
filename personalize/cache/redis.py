"""The tier that replicas share: one Redis hash a profile, one field a section."""

from personalize.cache import entry
from personalize.fleet.connection import Connection
from personalize.model import AnySection, SectionName
from personalize.telemetry import logs

KEY = "personalize:{%s}"
"""The braces make one profile one slot of a Redis Cluster; the name inside is a keyed hash, never an id."""


class RedisStore:
    """Keeps sections encoded; where Redis is away it has nothing and keeps nothing.

    Args:
        connection: the fleet's connection, which bounds and absorbs every failure.
        expire: seconds after which Redis itself forgets a profile.
    """

    tier = "redis"

    def __init__(self, connection: Connection, *, expire: float) -> None:
        self._connection = connection
        self._expire_ms = int(expire * 1000)

    async def read(self, key: str, names: list[SectionName]) -> dict[SectionName, AnySection]:
        """Return those of a profile's named sections that are there and can be decoded; one round trip."""
        stored = await self._connection.read_fields(KEY % key, names)
        return {
            name: section
            for name, value in zip(names, stored, strict=False)
            if value is not None and (section := _decoded(name, value)) is not None
        }

    async def write(self, key: str, name: SectionName, section: AnySection) -> None:
        """Keep one section; one round trip."""
        await self._connection.write_field(KEY % key, name, entry.encode(section), expire_ms=self._expire_ms)

    async def drop(self, key: str) -> None:
        """Forget a profile."""
        await self._connection.delete(KEY % key)


def _decoded(name: SectionName, value: bytes) -> AnySection | None:
    try:
        return entry.decode(name, value)
    except entry.UnreadableEntry:
        logs.cached_value_unreadable(name)
        return None
