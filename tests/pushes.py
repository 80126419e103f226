"""What Segment would push, and how it would sign it."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

SECRET = "fake-secret-of-the-webhook"
HOOK = "/webhooks/segment"


def told(
    trait: str, value: object, *, at: datetime | None = None, class_: str = "trait", **members: Any
) -> dict[str, Any]:
    """Return a call that tells of a computed trait, or of an audience by its class; now, unless a time is said."""
    personas = {"computation_class": class_, "computation_key": trait}
    when = (at or datetime.now(UTC)).isoformat()
    return {
        "type": "identify",
        "traits": {trait: value},
        "context": {"personas": personas},
        "timestamp": when,
        **members,
    }


def written(call: object) -> bytes:
    """Return JSON as Segment writes it."""
    return json.dumps(call, separators=(",", ":"), ensure_ascii=False).encode()


def signature(text: bytes, secret: str = SECRET) -> dict[str, str]:
    """Return the header that signs a text."""
    return {"X-Signature": hmac.new(secret.encode(), text, hashlib.sha1).hexdigest()}
