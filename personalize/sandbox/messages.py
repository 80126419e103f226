"""The calls of the Tracking API, read from their JSON. Names and limits are those of Segment's HTTP tracking source."""

from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

import msgspec

from personalize.sandbox import moments
from personalize.sandbox.answers import Invalid, Refused, invalid
from personalize.sandbox.bodies import bounded
from personalize.sandbox.identity import NAMING
from personalize.sandbox.inputs import Input
from personalize.sandbox.nesting import MAX_DEPTH, is_deep
from personalize.sandbox.promoted import promoted
from personalize.sandbox.store import Collection, ExternalId

CALL_BYTES = 32 * 1024
BATCH_BYTES = 500 * 1024
BATCH_CALLS = 2500


class CustomId(msgspec.Struct, frozen=True):
    """One of `context.externalIds`: an id of a type of one's own. A colon would end the type in the Profile API."""

    id: str
    type: Annotated[str, msgspec.Meta(pattern="^[^:]+$")]
    collection: Annotated[str, msgspec.Meta(pattern="^(users|accounts)$")] = "users"
    encoding: str = "none"


class Message(msgspec.Struct, frozen=True, rename="camel"):
    """What every call carries. An empty id is no id."""

    user_id: str | None = None
    anonymous_id: str | None = None
    message_id: str | None = None
    timestamp: str | None = None
    context: dict[str, Any] | None = None

    def external_ids(self) -> tuple[ExternalId, ...]:
        """Return a person's external ids, those first that say more about who it is.

        Raises:
            Refused: there is neither a user id nor an anonymous id, or a custom one cannot be read.
        """
        if not (self.user_id or self.anonymous_id):
            raise invalid("userId", "is required, unless there is an `anonymousId`.")
        others = [*self.custom_ids("users"), *promoted(self.context or {})]
        return _without_repetition([_id("user_id", self.user_id), *others, _id("anonymous_id", self.anonymous_id)])

    def custom_ids(self, collection: Collection) -> list[ExternalId]:
        """Return the custom ids of a collection. One of the naming type is none: it has a member of its own.

        Raises:
            Refused: they cannot be read.
        """
        try:
            sent = msgspec.convert((self.context or {}).get("externalIds") or [], list[CustomId])
        except msgspec.ValidationError as error:
            raise invalid("context.externalIds", f"cannot be read: {error}.") from None
        wanted = [one for one in sent if one.collection == collection and one.type != NAMING[collection]]
        return [ExternalId(one.type, one.id, one.encoding) for one in wanted]

    def at(self, now: int) -> int:
        """Return when the call happened, in microseconds since 1970.

        Raises:
            Refused: the timestamp is not ISO 8601.
        """
        try:
            return moments.parsed(self.timestamp) if self.timestamp else now
        except ValueError:
            raise invalid("timestamp", "has to be a date or time in ISO 8601.") from None


class Identify(Message, frozen=True, rename="camel"):
    """Who somebody is. A trait that is null is removed."""

    traits: dict[str, Any] | None = None

    def touches(self) -> frozenset[Input]:
        """Return its traits, which computed traits and audiences may be worked out from."""
        return frozenset(Input("trait", key) for key in self.traits or ())


class Track(Message, frozen=True, rename="camel"):
    """What somebody did."""

    event: str = ""
    properties: dict[str, Any] | None = None

    def touches(self) -> frozenset[Input]:
        """Return its event, which computed traits and audiences may be worked out from."""
        return frozenset({Input("event", self.event)})

    def name(self) -> str:
        """Return the event's name.

        Raises:
            Refused: there is none.
        """
        if not self.event:
            raise invalid("event", "is required.")
        return self.event

    def account_id(self) -> ExternalId | None:
        """Return the id of the account that somebody did it for, as `context.groupId` says."""
        group_id = (self.context or {}).get("groupId")
        return _id(NAMING["accounts"], group_id) if isinstance(group_id, str) and group_id else None


class Group(Message, frozen=True, rename="camel"):
    """Which account somebody belongs to, and what is known of that account. A trait that is null is removed."""

    group_id: str = ""
    traits: dict[str, Any] | None = None

    def touches(self) -> frozenset[Input]:
        """Return the account's traits: to the person it brings nothing."""
        return frozenset(Input("trait", key) for key in self.traits or ())

    def account_ids(self) -> tuple[ExternalId, ...]:
        """Return the account's external ids, the group id first.

        Raises:
            Refused: there is no group id, or a custom id cannot be read.
        """
        if not self.group_id:
            raise invalid("groupId", "is required.")
        return _without_repetition([_id(NAMING["accounts"], self.group_id), *self.custom_ids("accounts")])


class Alias(Message, frozen=True, rename="camel"):
    """That a user was known by another id before."""

    previous_id: str = ""

    def previous(self) -> str:
        """Return the previous id.

        Raises:
            Refused: there is none, or no user id.
        """
        if not self.user_id:
            raise invalid("userId", "is required.")
        if not self.previous_id:
            raise invalid("previousId", "is required.")
        return self.previous_id


class Batch(msgspec.Struct, frozen=True):
    """Several calls in one, each as it was sent."""

    batch: list[msgspec.Raw]


class Typed(msgspec.Struct, frozen=True):
    """The one member of a call in a batch that says how to read the others."""

    type: str = ""


T = TypeVar("T")


def read(body: bytes | msgspec.Raw, message: type[T]) -> T:
    """Return a body as a message.

    Raises:
        Invalid: it is JSON, but not of that shape.
        Refused: it is not JSON, or nested too deep.
    """
    if is_deep(bytes(body)):
        raise Refused(400, "invalid_request_error", f"The body is nested deeper than {MAX_DEPTH} levels.")
    try:
        return msgspec.json.decode(body, type=message)
    except msgspec.ValidationError as error:
        _check_json(body)  # of which only the part before the wrong value was read
        raise Invalid(f"{error}.") from None
    except (msgspec.DecodeError, ValueError):
        raise _not_json() from None


def batched(body: bytes) -> list[tuple[str, bytes]]:
    """Return a batch's calls, each as its type, empty if there is none, and its own JSON.

    Raises:
        Invalid: it is JSON, but not a batch.
        Refused: it is not JSON, nested too deep, has too many calls, or one of them is too large.
    """
    calls = read(body, Batch).batch
    if len(calls) > BATCH_CALLS:
        raise Refused(400, "invalid_request_error", f"The batch has more than {BATCH_CALLS} calls.")
    return [(_type(call), bounded(bytes(call), CALL_BYTES)) for call in calls]


def _type(call: msgspec.Raw) -> str:
    try:
        return read(call, Typed).type
    except Invalid:
        return ""


def _check_json(body: bytes | msgspec.Raw) -> None:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError):
        raise _not_json() from None


def _not_json() -> Refused:
    return Refused(400, "invalid_request_error", "The body is not JSON.")


def _id(id_type: str, value: str | None) -> ExternalId:
    return ExternalId(id_type, value or "")


def _without_repetition(external_ids: Iterable[ExternalId]) -> tuple[ExternalId, ...]:
    """Return the ids that are not empty, each once."""
    found: dict[tuple[str, str], ExternalId] = {}
    for external_id in external_ids:
        if external_id.value:
            found.setdefault((external_id.type, external_id.value), external_id)
    return tuple(found.values())
