"""Cursors: where the next page of a Profile API list starts."""

import base64
import binascii
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from personalize.sandbox.answers import invalid
from personalize.sandbox.store import Position

_NANOS = 1000  # in a microsecond
_MICROS_MAX = 2**63 - 1  # what a column of the store can hold


def cursor(request: Request, limit: int, following: str) -> dict[str, Any]:
    """Return a page's cursor.

    Args:
        request: what asked for the page.
        limit: how many items that page could have had.
        following: where the next page starts; empty on the last page, whose URL is empty too.
    """
    url = _next_url(request, following) if following else ""
    return {"url": url, "has_more": bool(following), "next": following, "limit": limit}


def opaque(position: Position) -> str:
    """Return a position as Segment writes an event's: base64 of `<nanoseconds>::<message id>`."""
    return base64.b64encode(f"{position.at * _NANOS}::{position.key}".encode()).decode()


def position(text: str) -> Position | None:
    """Return the position that `opaque` wrote; None for an empty text.

    Raises:
        Refused: it is something else.
    """
    if not text:
        return None
    try:
        nanos, separator, key = base64.b64decode(text, validate=True).decode().partition("::")
        found = Position(int(nanos) // _NANOS, key)
    except (binascii.Error, ValueError):
        raise invalid("next", "is not a cursor.") from None
    if not separator or abs(found.at) > _MICROS_MAX:
        raise invalid("next", "is not a cursor.")
    return found


def _next_url(request: Request, following: str) -> str:
    """Return an absolute URL that works as it is: the path exactly as it was sent, the query with a new `next`."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "next"]
    path = request.scope["raw_path"].decode("latin-1")
    return f"{str(request.base_url).rstrip('/')}{path}?{urlencode([*query, ('next', following)])}"
