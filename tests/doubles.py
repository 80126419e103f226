"""Values that many tests need, and settings of a service. Fakes are in `personalize.testing`."""

from typing import Any

from personalize import settings
from personalize.settings import Settings
from personalize.testing.services import REQUIRED

SPACE, TOKEN = REQUIRED["SPACE_ID"], REQUIRED["ACCESS_TOKEN"]
ORIGIN = "https://blog.example.com"
UUID = "5e0f0c5a-8d3c-4c57-9f0e-0d2f5b6a7c11"


def event(name: str, when: str = "2026-11-20T10:00:00.000Z", /, **properties: object) -> dict[str, Any]:
    """Return an event as the Profile API writes it."""
    return {"event": name, "type": "track", "timestamp": when, "properties": properties, "message_id": f"{name}-{when}"}


def environment(**named: str) -> dict[str, str]:
    """Return an environment that makes a service, with more settings by their names."""
    return {f"PERSONALIZE_{name}": value for name, value in {**REQUIRED, **named}.items()}


def settings_of(**named: str) -> Settings:
    return settings.load(environment(**named))
