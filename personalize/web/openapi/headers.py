"""The headers of answers."""

from typing import Any, Final

_TEXT = {"type": "string"}

COMPONENTS: Final[dict[str, Any]] = {
    "X-Request-Id": {
        "description": "Finds the request in the logs: the caller's own id if it is harmless, else a new one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9-]{1,64}$"},
    },
    "Cache-Control": {
        "description": "For how long a browser may keep the answer: `private`, and no longer than what it rests on is "
        "fresh; `no-store` for problems.",
        "required": True,
        "schema": _TEXT,
    },
    "CDN-Cache-Control": {
        "description": "`no-store`: what is about one visitor is for no cache that many share (RFC 9213).",
        "required": True,
        "schema": {"const": "no-store"},
    },
    "ETag": {
        "description": "A weak validator of the answer, to send as `If-None-Match`.",
        "required": True,
        "schema": {"type": "string", "pattern": '^W/".+"$'},
    },
    "Retry-After": {"description": "Seconds after which to ask again, where that is known.", "schema": _TEXT},
    "WWW-Authenticate": {"description": "`Bearer`.", "required": True, "schema": _TEXT},
}


def named(*names: str) -> dict[str, Any]:
    """Return references to headers."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


OF_ALL = named("X-Request-Id", "Cache-Control")
"""What every answer has."""

OF_ANSWERS = OF_ALL | named("CDN-Cache-Control", "ETag")
"""What an answer has that may be asked for again."""
