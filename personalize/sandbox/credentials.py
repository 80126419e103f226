"""Basic authentication as Segment uses it: a token or key as the username, and no password."""

import base64
import binascii
import secrets

from starlette.requests import Request

from personalize.sandbox.answers import unauthorized


def require_username(request: Request, expected: str) -> None:
    """Check that a request names the expected token or key.

    Raises:
        Refused: 401, as it does not.
    """
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic" or not secrets.compare_digest(_decoded(encoded), f"{expected}:".encode()):
        raise unauthorized("Failure to properly authenticate yourself in the request.")


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""
