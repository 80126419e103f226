"""What calls do to profiles: identify sets traits, track adds an event."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from personalize.sandbox import computed
from personalize.sandbox.answers import invalid
from personalize.sandbox.identity import NOBODY, resolved
from personalize.sandbox.messages import Identify, Message, Track, read
from personalize.sandbox.moments import Clock, micros
from personalize.sandbox.store import Event, ExternalId, Store, Trait


class Entry(NamedTuple):
    """A call that counts: whose it is, when it happened (microseconds since 1970), and under which message id."""

    profile: int
    at: int
    message_id: str
    external_ids: tuple[ExternalId, ...]


class Journal:
    """Writes calls into the store.

    Args:
        store: where profiles are.
        clock: what time it is, for calls without a timestamp.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def write(self, calls: Iterable[tuple[str, bytes]]) -> None:
        """Apply calls in order, all or none, and compute the traits that follow from them.

        Args:
            calls: each its type and its JSON.

        Raises:
            Refused: a call is not valid; then none of them is applied.
        """
        with self._store.transaction():
            entries = [self._write(call_type, body) for call_type, body in calls]
            for profile in {entry.profile for entry in entries if entry}:
                computed.refresh(self._store, profile, self._now())

    def identify(self, body: bytes) -> Entry | None:
        """Apply an identify call."""
        call = read(body, Identify)
        entry = self._enter(call)
        if entry:
            for key, value in (call.traits or {}).items():
                if value is None:
                    self._store.traits.remove(entry.profile, key, entry.at)
                else:
                    self._store.traits.put(entry.profile, Trait(key, value, entry.at))
        return entry

    def track(self, body: bytes) -> Entry | None:
        """Apply a track call."""
        call = read(body, Track)
        name = call.name()
        entry = self._enter(call)
        if entry:
            event = Event(
                entry.message_id, name, entry.at, entry.external_ids, call.context or {}, call.properties or {}
            )
            self._store.events.add(entry.profile, event)
        return entry

    def _write(self, call_type: str, body: bytes) -> Entry | None:
        if call_type not in CALLS:
            raise invalid("type", f"has to be one of {', '.join(CALLS)}.")
        return CALLS[call_type](self, body)

    def _enter(self, call: Message) -> Entry | None:
        """Return where a call goes; None for one that was seen before, or that is about nobody."""
        external_ids = call.external_ids()
        at = call.at(self._now())
        message_id = call.message_id or f"sandbox-{uuid.uuid4()}"
        if NOBODY in external_ids or not self._store.admit(message_id):
            return None
        return Entry(resolved(self._store, external_ids, self._now()), at, message_id, external_ids)

    def _now(self) -> int:
        return micros(self._clock())


CALLS: Mapping[str, Callable[[Journal, bytes], Entry | None]] = {
    "identify": Journal.identify,
    "track": Journal.track,
}
