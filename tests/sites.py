"""A running service and its sandbox, and how tests speak to them."""

from dataclasses import dataclass

import httpx

from tests.processes import Running

WRITE_KEY = "sandbox-write-key"
API_KEY = "sandbox-api-key"


@dataclass(frozen=True)
class Site:
    """Where a service and its sandbox listen, and the process of both."""

    service: str
    sandbox: str
    run: Running


def track(client: httpx.Client, sandbox: str, **call: object) -> None:
    """Send one Track call."""
    response = client.post(f"{sandbox}/v1/track", json=call, auth=(WRITE_KEY, ""))
    assert response.json() == {"success": True}, response.text


def upstream_calls(client: httpx.Client, sandbox: str) -> list[str]:
    """Return the paths and queries of the Profile API calls that a sandbox has answered, oldest first."""
    calls = client.get(f"{sandbox}/sandbox/calls").json()["calls"]
    return [call["path"] for call in calls if call["method"] == "GET"]


def against(sandbox: str, **named: str) -> dict[str, str]:
    """Return the settings of a service that reads a sandbox of another process, as it would read a space."""
    settings = {
        "SPACE_ID": "sandbox",
        "ACCESS_TOKEN": "sandbox-token",
        "PROFILE_API_URL": sandbox,
        "POSTS_URL": f"{sandbox}/blog/feed.xml",
        "PRIVATE_FEEDS": "true",
        **named,
    }
    return {f"PERSONALIZE_{name}": value for name, value in settings.items()}
