"""Which channels somebody wants to hear on, as Segment's Engage takes it."""

from collections.abc import Mapping
from dataclasses import dataclass

from personalize.destination.values import Json, text
from personalize.errors import RowRefused

INVALID = "INVALID"
"""What Segment is told of a status that it does not know."""

STATUSES = {
    "true": "SUBSCRIBED",
    "subscribed": "SUBSCRIBED",
    "false": "UNSUBSCRIBED",
    "unsubscribed": "UNSUBSCRIBED",
    "did_not_subscribe": "DID_NOT_SUBSCRIBE",
    "did-not-subscribe": "DID_NOT_SUBSCRIBE",
}


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to reach somebody.

    Args:
        address: the field that says where.
        status: the field that says whether.
        type: Segment's name for it.
        id_type: that of the external id which an address is.
        refusal: what is said of a status without an address.
    """

    address: str
    status: str
    type: str
    id_type: str
    refusal: str


_PHONE = "A valid `Phone` must be defined for `Sms_Subscription` or `Whatsapp_Subscription`."
CHANNELS = (
    Channel(
        "email", "email_subscription_status", "EMAIL", "email",
        "A valid `Email` must be defined for `Email_Subscription`.",
    ),
    Channel("phone", "sms_subscription_status", "SMS", "phone", _PHONE),
    Channel("phone", "whatsapp_subscription_status", "WHATSAPP", "phone", _PHONE),
    Channel(
        "android_push_token", "android_push_subscription_status", "ANDROID_PUSH", "android.push_token",
        "A valid `Android_Push_Token` must be defined for `Android_Push_Subscription`.",
    ),
    Channel(
        "ios_push_token", "ios_push_subscription_status", "IOS_PUSH", "ios.push_token",
        "A valid `Ios_Push_Token` must be defined for `Ios_Push_Subscription`.",
    ),
)  # fmt: skip
NO_ADDRESS = "Either `Email` or `Phone` or `Android_Push_Token` or `Ios_Push_Token` must be defined."
NO_STATUS = (
    "If any of `Email`, `Phone`, `Android_Push_Token` or `Ios_Push_Token` is present, `Email_Subscription` or "
    "`Sms_Subscription` or `Whatsapp_Subscription` or `Ios_Push_Subscription` or `Android_Push_Subscription` must be "
    "defined."
)
NO_VALID_STATUS = (
    "Invalid Subscription Status in `Email_Subscription` or `Sms_Subscription` or `Whatsapp_Subscription` or "
    "`Android_Push_Subscription` or `Ios_Push_Subscription`."
)
GROUPS_ALONE = "`Email_Subscription` must be defined if Subscription Groups are present."


def status_of(value: Json) -> str | None:
    """Return what a status is to Segment; nothing for a blank one."""
    said = text(value).strip().lower() if value is not None else ""
    return STATUSES.get(said, INVALID) if said else None


def context_of(payload: Mapping[str, Json]) -> dict[str, Json]:
    """Return what an Identify call's `context` says of somebody's channels.

    Raises:
        RowRefused: an address or a status is missing, or no status is one.
    """
    _check(payload)
    addresses = {channel.address: channel for channel in reversed(CHANNELS) if payload.get(channel.address)}
    return {
        "messaging_subscriptions": [
            _subscription(channel, payload) for channel in CHANNELS if status_of(payload.get(channel.status))
        ],
        "externalIds": [
            {"id": payload[name], "type": channel.id_type, "collection": "users", "encoding": "none"}
            for name, channel in reversed(addresses.items())
        ],
        "messaging_subscriptions_retl": True,
    }


def _subscription(channel: Channel, payload: Mapping[str, Json]) -> dict[str, Json]:
    told: dict[str, Json] = {
        "key": payload[channel.address],
        "type": channel.type,
        "status": status_of(payload[channel.status]),
    }
    groups = payload.get("subscription_groups")
    if channel.type == "EMAIL" and isinstance(groups, Mapping) and groups:
        told["groups"] = [_group(name, value) for name, value in groups.items()]
    return told


def _group(name: str, value: Json) -> dict[str, Json]:
    status = status_of(value)
    return {"name": name} if status is None else {"name": name, "status": status}


def _check(payload: Mapping[str, Json]) -> None:
    if not any(payload.get(channel.address) for channel in CHANNELS):
        raise RowRefused(NO_ADDRESS)
    told = [channel for channel in CHANNELS if payload.get(channel.status)]
    if not told:
        raise RowRefused(NO_STATUS)
    if payload.get("subscription_groups") and not payload.get("email_subscription_status"):
        raise RowRefused(GROUPS_ALONE)
    for channel in told:
        if not payload.get(channel.address):
            raise RowRefused(channel.refusal)
    if len(told) == len(CHANNELS) and all(status_of(payload[one.status]) == INVALID for one in told):
        raise RowRefused(NO_VALID_STATUS)
