"""A service that reads the sandbox: its settings, and whom there is to ask it about."""

import hashlib
import secrets

from pydantic import SecretStr

from personalize import sandbox, settings
from personalize.settings import PREFIX, Settings

API_KEY = "sandbox-api-key"
KEY_NAME = "sandbox"
IDENTITY_SECRET = "sandbox-identity-secret-known-to-all"  # noqa: S105 -- it is no secret, and guards demo data
USER = "user_id=ada"
ACCOUNT = "group_id=acme"
VISITOR = "anonymous_id=5e0f0c5a-8d3c-4c57-9f0e-0d2f5b6a7c11"

EVENTS_AT_ONCE = ("last-viewed-not-purchased.ttl=1s", "event-timeline.ttl=1s")
"""Segment pushes computed traits and audiences, not events: a demonstration reads those again after a second."""


def sandbox_settings(url: str) -> Settings:
    """Return the settings of a service that reads the sandbox, whatever space the environment names.

    What the environment says of anything else counts; what it leaves open gets what suits a demonstration.
    """
    loaded = settings.load(
        defaults={
            PREFIX + "API_KEYS": f"{KEY_NAME}:sha256:{hashlib.sha256(API_KEY.encode()).hexdigest()}",
            PREFIX + "IDENTITY_KEYS": f"{KEY_NAME}:{IDENTITY_SECRET}",
            PREFIX + "BROWSER_TTL": "0s",
            PREFIX + "CONSOLE": "open",
            PREFIX + "DRAIN_DELAY": "0s",
            PREFIX + "LOG_FORMAT": "console",
            PREFIX + "POSTS_URL": f"{url}/blog/feed.xml",
            PREFIX + "PRIVATE_FEEDS": "true",  # it is on loopback
            PREFIX + "REVALIDATE_TTL": "1s",
        },
        forced=in_segments_place(url),
    )
    if "shipped" in loaded.recipes and not loaded.overrides:
        loaded = loaded.model_copy(update={"overrides": EVENTS_AT_ONCE})
    demo = (url, url.replace("127.0.0.1", "localhost"))
    return loaded.model_copy(update={"allowed_origins": (*loaded.allowed_origins, *demo)})


def in_segments_place(url: str) -> dict[str, str]:
    """Return the settings by which the sandbox is asked, and nobody else."""
    return {
        PREFIX + "ACCESS_TOKEN": sandbox.ACCESS_TOKEN,
        PREFIX + "PROFILE_API_URL": url,
        PREFIX + "SPACE_ID": sandbox.SPACE,
    }


def login(loaded: Settings) -> tuple[str, str] | None:
    """Return the key by which the service believes the demo site, while that is the sandbox's own."""
    known = KEY_NAME in {key.kid for key in loaded.identity_keys}
    return (KEY_NAME, IDENTITY_SECRET) if known else None


def wired(loaded: Settings, workers: int) -> Settings:
    """Return settings with a secret made for this run, so that the sandbox can push what changes.

    It stays off where several workers could not tell each other what one of them is told.
    """
    alone = (loaded.fleet_size or workers) == 1
    if loaded.webhook_secret is not None or not (alone or loaded.redis_url):
        return loaded
    return loaded.model_copy(update={"webhook_secret": SecretStr(secrets.token_urlsafe())})
