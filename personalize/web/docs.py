"""How the API shows itself: its description, and a page to read it on and try it."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import msgspec
from starlette.routing import BaseRoute, Route

from personalize.web.assets import STATIC, Asset

KEPT_SECONDS = 60
"""For how long a browser does not ask again: an upgrade changes all of it at once."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load and do: what comes from here, and nothing inline (Content Security Policy Level 3).

`data:` is for the arrows that are drawn in Swagger UI's style sheet.
"""

FILES: Final[Mapping[str, str]] = {
    "docs.css": "text/css; charset=utf-8",
    "docs.js": "text/javascript; charset=utf-8",
    "swagger-ui/swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
}
"""What the page loads, below `static/`, and its media types."""


def routes(described: Mapping[str, Any]) -> Iterator[BaseRoute]:
    """Yield the routes of a described API.

    Args:
        described: the OpenAPI document; it is encoded once.
    """
    document = Asset(msgspec.json.encode(described), "application/json", max_age=KEPT_SECONDS)
    yield Route("/openapi.json", document.get, methods=["GET"])
    markup = (STATIC / "docs.html").read_bytes()
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
    page = Asset(markup, "text/html; charset=utf-8", max_age=KEPT_SECONDS, headers=headers)
    yield Route("/docs", page.get, methods=["GET"])
    for name in FILES:
        yield Route(f"/docs/{name}", _file(name).get, methods=["GET"])


@cache
def _file(name: str) -> Asset:
    """Return one of the files, which are large, and the same for every application of a process."""
    return Asset((STATIC / name).read_bytes(), FILES[name], max_age=KEPT_SECONDS)
