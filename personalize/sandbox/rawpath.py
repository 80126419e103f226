"""Routing on the path as it was sent, so that a percent-encoded slash stays inside its segment."""

from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from personalize.sandbox.answers import Refused


class RawPaths:
    """Middleware that hands requests below certain paths to apps of their own, before a path is decoded.

    Args:
        app: what answers all other requests.
        apps: by how a path begins, as bytes of the request line; the first that fits answers.
    """

    def __init__(self, app: ASGIApp, apps: Mapping[bytes, ASGIApp]) -> None:
        self._app = app
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        path = scope.get("raw_path", b"")  # lifespan messages have none
        app = next((app for prefix, app in self._apps.items() if path.startswith(prefix)), self._app)
        await app(scope, receive, send)


def segments(scope: Scope) -> list[str]:
    """Return the path's segments, split before they are decoded.

    Raises:
        Refused: there are bytes in it that are no UTF-8.
    """
    try:
        return [unquote_to_bytes(segment).decode() for segment in scope["raw_path"].removeprefix(b"/").split(b"/")]
    except UnicodeDecodeError:
        raise Refused(400, "invalid_request_error", "The path is not UTF-8.") from None


def route(scope: Scope) -> str:
    """Return the path's last segment as it was sent, whatever that is."""
    path: bytes = scope["raw_path"]
    return path.rpartition(b"/")[2].decode("latin-1")
