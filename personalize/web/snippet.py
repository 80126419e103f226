"""The browser's part: one script, under a name that follows upgrades and under one that never changes."""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha384
from typing import Final

from starlette.routing import BaseRoute, Route

from personalize.installed import version
from personalize.web.assets import STATIC, Asset

ALIAS = "/personalize.js"
PINNED = f"/v{version()}{ALIAS}"
"""Where the script of this version is, for pages that say which bytes they expect."""

ALIAS_SECONDS = 3600
"""For how long an upgrade may go unnoticed."""

PINNED_SECONDS = 31_536_000
"""A year, which stands for ever (RFC 9111, 1.2.2; RFC 8246)."""

SCRIPT: Final = (STATIC / "personalize.js").read_bytes()
MEDIA_TYPE = "text/javascript; charset=utf-8"
ANYWHERE = {"Cross-Origin-Resource-Policy": "cross-origin"}


def integrity() -> str:
    """Return what a page says of the script's bytes (Subresource Integrity, 3.1)."""
    return f"sha384-{b64encode(sha384(SCRIPT).digest()).decode()}"


def tag(origin: str) -> str:
    """Return the script's tag for a page, pinned; `origin` is where browsers find the service."""
    return f'<script async src="{origin}{PINNED}" integrity="{integrity()}" crossorigin="anonymous"></script>'


def routes() -> Iterator[BaseRoute]:
    """Yield the routes of the script. It tells nothing about anybody, and any page may run it."""
    newest = Asset(SCRIPT, MEDIA_TYPE, max_age=ALIAS_SECONDS, headers=ANYWHERE)
    pinned = Asset(SCRIPT, MEDIA_TYPE, max_age=PINNED_SECONDS, immutable=True, headers=ANYWHERE)
    yield Route(ALIAS, newest.get, methods=["GET"])
    yield Route(PINNED, pinned.get, methods=["GET"])
