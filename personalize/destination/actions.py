"""The four actions: what each takes, and the Tracking call that it makes of a payload.

The calls are those of the destination as it is today, which hands them to Segment as members of a batch: with their
`type`, and `context.consent`. Until January 2024 it posted each to a route of its own, without these two.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from personalize.destination import subscriptions
from personalize.destination.fields import Field, fitted
from personalize.destination.values import Json
from personalize.errors import RowRefused

Payload = Mapping[str, Json]
Body = dict[str, Json]

NO_ID = "Either `Anonymous ID` or `User ID` must be defined."
SPACE = Field("engage_space", "Profile Space", required=True)
"""The write key of the Profile space's source; by it Segment knows whose the call is."""

COMMON = (
    SPACE,
    Field("user_id", "User ID"),
    Field("anonymous_id", "Anonymous ID"),
    Field("timestamp", "Timestamp", "datetime"),
    Field("message_id", "Message ID"),
    Field("consent", "Consent", "object"),
)
TRAITS = Field("traits", "Traits", "object")


@dataclass(frozen=True, slots=True)
class Action:
    """What is done with a row.

    Args:
        name: as mappings have it.
        title: as Segment's page has it.
        fields: what it takes.
        trigger: the condition that is usual for it, in FQL.
        own: makes what is its own of a call.
        needs_id: whether a call without a user is refused.
    """

    name: str
    title: str
    fields: tuple[Field, ...]
    trigger: str | None
    own: Callable[[Payload], Body]
    needs_id: bool = True

    def call(self, payload: Payload) -> Body:
        """Return the call of a payload, as a member of a batch; `SPACE` is for the sender, and not in it.

        Raises:
            RowRefused: it has not what the action needs, or holds what cannot be.
        """
        told = fitted(payload, self.fields)
        if self.needs_id and not (told.get("user_id") or told.get("anonymous_id")):
            raise RowRefused(NO_ID)
        own = self.own(told)
        usual: Body = {
            "userId": told.get("user_id"),
            "anonymousId": told.get("anonymous_id"),
            "timestamp": told.get("timestamp"),
            "messageId": told.get("message_id"),
            "integrations": {"All": False},  # it is for the profile, and not for what else is connected to the space
        }
        context = own.pop("context", {})
        consent: Json = told.get("consent") or {}
        whole: Body = {
            **usual,
            **own,
            "context": {**(context if isinstance(context, Mapping) else {}), "consent": consent},
        }
        return {name: value for name, value in whole.items() if value is not None}


def _identify(told: Payload) -> Body:
    return {"type": "identify", "groupId": told.get("group_id"), "traits": told.get("traits") or {}}


def _group(told: Payload) -> Body:
    return {"type": "group", "groupId": told["group_id"], "traits": told.get("traits") or {}}


def _track(told: Payload) -> Body:
    return {"type": "track", "event": told["event_name"], "properties": told.get("properties") or {}}


def _subscriptions(told: Payload) -> Body:
    return {"type": "identify", "traits": told.get("traits") or {}, "context": subscriptions.context_of(told)}


ACTIONS = {
    action.name: action
    for action in (
        Action(
            "identify",
            "Send Identify",
            (*COMMON, Field("group_id", "Group ID"), TRAITS),
            'type = "identify"',
            _identify,
        ),
        Action(
            "group",
            "Send Group",
            (*COMMON, Field("group_id", "Group ID", required=True), TRAITS),
            'type = "group"',
            _group,
        ),
        Action(
            "subscriptions",
            "Send Subscriptions",
            (
                *COMMON,
                Field("email", "Email"),
                Field("email_subscription_status", "Email Subscription Status", nullable=True),
                Field("subscription_groups", "Email Subscription Groups", "object"),
                Field("phone", "Phone"),
                Field("sms_subscription_status", "SMS Subscription Status", nullable=True),
                Field("whatsapp_subscription_status", "WhatsApp Subscription Status", nullable=True),
                Field("android_push_token", "Android Push Token"),
                Field("android_push_subscription_status", "Android Push Subscription Status", nullable=True),
                Field("ios_push_token", "Ios Push Token"),
                Field("ios_push_subscription_status", "Ios Push Subscription Status", nullable=True),
                TRAITS,
            ),
            'type = "identify"',
            _subscriptions,
            needs_id=False,
        ),
        Action(
            "track",
            "Send Track",
            (
                *COMMON,
                Field("event_name", "Event Name", required=True),
                Field("group_id", "Group ID"),  # taken, and never sent: so it is at Segment's
                Field("properties", "Properties", "object"),
            ),
            None,
            _track,
        ),
    )
}
