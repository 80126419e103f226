"""External ids that Segment finds in a call by itself: those that its mobile and cross-domain libraries send.

An email address is left out: the Profile API documentation recommends against one as an external id.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from personalize.sandbox.store import ExternalId

PLATFORMS = ("android", "ios")
DEVICE_IDS = {"id": "id", "idfa": "advertisingId", "push_token": "token"}
"""How the type of an id ends, such as `ios.idfa`, and the member of `context.device` that holds the id."""


def promoted(context: Mapping[str, Any]) -> list[ExternalId]:
    """Return the external ids in a call's context."""
    return [ExternalId(id_type, value) for id_type, value in _candidates(context) if isinstance(value, str)]


def _candidates(context: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    traits, device = _members(context, "traits"), _members(context, "device")
    yield "cross_domain_id", traits.get("crossDomainId")
    if device.get("type") in PLATFORMS:
        yield from ((f"{device['type']}.{end}", device.get(member)) for end, member in DEVICE_IDS.items())


def _members(context: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    members = context.get(name)
    return members if isinstance(members, dict) else {}
