"""What replicas share through Redis, for deployments that have one."""

from personalize.cache.redis import Expiry, RedisStore
from personalize.fleet.connection import Connection
from personalize.fleet.invalidations import Invalidations
from personalize.fleet.lock import Locks
from personalize.settings import Settings
from personalize.telemetry.metrics import Metrics


def connected(settings: Settings, url: str, space: str, metrics: Metrics) -> tuple[Connection, RedisStore]:
    """Return the connection to a Redis, and the tier that replicas of one space share through it."""
    connection = Connection(url, metrics=metrics)
    invalidations = Invalidations(connection, channel=f"personalize:forgotten:{space}", metrics=metrics)
    expires = Expiry(known=settings.stale_ttl, unknown=2 * settings.negative_ttl + 1)
    return connection, RedisStore(connection, Locks(connection), invalidations, expires)
