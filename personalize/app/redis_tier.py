"""What replicas share through Redis, for deployments that have one."""

from collections.abc import Callable

from personalize.cache.redis import Expiry, RedisStore
from personalize.fleet.budget import Budget
from personalize.fleet.connection import Connection
from personalize.fleet.invalidations import Invalidations
from personalize.fleet.lock import Locks
from personalize.settings import Settings
from personalize.telemetry.metrics import Metrics


def connected(
    settings: Settings, url: str, space: str, budgeted: Callable[[Connection], Budget], metrics: Metrics
) -> tuple[Connection, Budget, RedisStore]:
    """Return the connection to a Redis, and the budget and the tier that replicas of one space share through it."""
    connection = Connection(url, metrics=metrics)
    budget = budgeted(connection)
    invalidations = Invalidations(connection, channel=f"personalize:forgotten:{space}", metrics=metrics)
    expires = Expiry(known=settings.stale_ttl, unknown=2 * settings.negative_ttl + 1)
    return connection, budget, RedisStore(connection, Locks(connection, budget), invalidations, expires)
