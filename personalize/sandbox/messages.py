"""The calls of the Tracking API, read from their JSON. Names and limits are those of Segment's HTTP tracking source."""

from typing import Any, TypeVar

import msgspec

from personalize.sandbox import moments
from personalize.sandbox.answers import Refused, invalid
from personalize.sandbox.store import ExternalId

CALL_BYTES = 32 * 1024
BATCH_BYTES = 500 * 1024
BATCH_CALLS = 2500


class Message(msgspec.Struct, frozen=True, rename="camel"):
    """What every call carries. An empty id is no id."""

    user_id: str | None = None
    anonymous_id: str | None = None
    message_id: str | None = None
    timestamp: str | None = None
    context: dict[str, Any] | None = None

    def external_ids(self) -> tuple[ExternalId, ...]:
        """Return the call's external ids, the user's first.

        Raises:
            Refused: there is none.
        """
        ids = (("user_id", self.user_id), ("anonymous_id", self.anonymous_id))
        found = tuple(ExternalId(id_type, value) for id_type, value in ids if value)
        if not found:
            raise invalid("userId", "is required, unless there is an `anonymousId`.")
        return found

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


class Track(Message, frozen=True, rename="camel"):
    """What somebody did."""

    event: str = ""
    properties: dict[str, Any] | None = None

    def name(self) -> str:
        """Return the event's name.

        Raises:
            Refused: there is none.
        """
        if not self.event:
            raise invalid("event", "is required.")
        return self.event


class Batch(msgspec.Struct, frozen=True):
    """Several calls in one, each as it was sent."""

    batch: list[msgspec.Raw]


class Typed(msgspec.Struct, frozen=True):
    """The one member of a call in a batch that says how to read the others."""

    type: str


T = TypeVar("T")


def read(body: bytes | msgspec.Raw, message: type[T]) -> T:
    """Return a body as a message.

    Raises:
        Refused: it is not JSON, or not of that shape.
    """
    try:
        return msgspec.json.decode(body, type=message)
    except msgspec.ValidationError as error:
        raise Refused(400, "validation_error", f"{error}.") from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Refused(400, "invalid_request_error", "The body is not JSON.") from None


def batched(body: bytes) -> list[tuple[str, bytes]]:
    """Return a batch's calls, each as its type and its own JSON.

    Raises:
        Refused: it is not a batch, has too many calls, or one of them is too large or has no type.
    """
    calls = read(body, Batch).batch
    if len(calls) > BATCH_CALLS:
        raise invalid("batch", f"has more than {BATCH_CALLS} calls.")
    return [(read(call, Typed).type, bounded(bytes(call), CALL_BYTES)) for call in calls]


def bounded(body: bytes, maximum: int) -> bytes:
    """Return a body that is not too large.

    Raises:
        Refused: 413, as it is.
    """
    if len(body) > maximum:
        raise Refused(413, "invalid_request_error", f"The call is larger than {maximum // 1024} KB.")
    return body
