"""What calls do to profiles: identify and group set traits, track adds an event, group and alias connect profiles."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from personalize.sandbox.answers import invalid
from personalize.sandbox.computed import Computations, News
from personalize.sandbox.identity import NOBODY, aliased, resolved
from personalize.sandbox.inputs import Input
from personalize.sandbox.messages import Alias, Group, Identify, Message, Track, read
from personalize.sandbox.moments import Clock, micros
from personalize.sandbox.store import Collection, Event, ExternalId, Origin, Store, Trait

Tell = Callable[[News], object]


def untold(_news: News) -> None:
    """Keep news for oneself."""


class Entry(NamedTuple):
    """A call that counts: whose it is, when it happened (microseconds since 1970), by which ids, and what it brings."""

    profile: int
    at: int
    origin: Origin
    external_ids: tuple[ExternalId, ...]
    touches: frozenset[Input]


class Journal:
    """Writes calls into the store.

    Args:
        store: where profiles are.
        clock: what time it is, for calls without a timestamp.
        computations: what follows from calls.
        tell: is told what is different then, once it is written.
    """

    def __init__(self, store: Store, clock: Clock, computations: Computations, tell: Tell = untold) -> None:
        self._store = store
        self._clock = clock
        self._computations = computations
        self._tell = tell

    def write(self, calls: Iterable[tuple[str, bytes]]) -> None:
        """Apply calls in order, all or none, and compute the traits that follow from them.

        Args:
            calls: each its type and its JSON.

        Raises:
            Refused: a call is not valid; then none of them is applied.
        """
        with self._store.transaction():
            self._store.profiles.take_arrivals()  # those of calls that were refused
            entries = [self._write(call_type, body) for call_type, body in calls]
            following = [self._follow(*deeds) for deeds in self._by_profile(filter(None, entries)).items()]
        for news in following:
            self._tell(news)

    def catch_up(self) -> None:
        """Compute everything of everybody anew, as time passes for windows also when nothing is called."""
        with self._store.transaction():
            people = self._store.profiles.all("users")
            following = [News(one, self._computations.refresh(one), frozenset()) for one in people]
        for news in following:
            self._tell(news)

    def identify(self, body: bytes) -> Entry | None:
        """Apply an identify call."""
        call = read(body, Identify)
        entry = self._enter(call)
        if entry:
            self._set(entry.profile, call.traits, entry.at)
        return entry

    def track(self, body: bytes) -> Entry | None:
        """Apply a track call."""
        call = read(body, Track)
        name = call.name()
        entry = self._enter(call)
        if entry:
            event = Event(
                entry.origin.message_id, name, entry.at, entry.external_ids, call.context or {}, call.properties or {}
            )
            self._store.events.add(entry.profile, event)
        return entry

    def view(self, body: bytes) -> Entry | None:
        """Apply a page or screen call: the Profile API returns Track events only, but its ids count."""
        return self._enter(read(body, Message))

    def group(self, body: bytes) -> Entry | None:
        """Apply a group call: somebody belongs to an account."""
        call = read(body, Group)
        account_ids = call.account_ids()
        entry = self._enter(call)
        if entry:
            account = self._resolved("accounts", account_ids, entry.origin)
            self._store.links.add(entry.profile, account, entry.origin.at)
            self._set(account, call.traits, entry.at)
        return entry

    def alias(self, body: bytes) -> Entry | None:
        """Apply an alias call: a user was known by another id."""
        call = read(body, Alias)
        previous_id = call.previous()
        entry = self._enter(call)
        if entry:
            aliased(self._store, entry.profile, previous_id, entry.origin)
        return entry

    def _by_profile(self, entries: Iterable[Entry]) -> dict[int, tuple[set[Input], set[ExternalId]]]:
        """Return what calls touched in each profile, and which ids are new to it."""
        found: dict[int | None, tuple[set[Input], set[ExternalId]]] = defaultdict(lambda: (set(), set()))
        for entry in entries:
            # Found anew, as a later call of a batch may have merged the profile of an earlier one into another.
            found[self._store.profiles.find("users", entry.external_ids[0])][0].update(entry.touches)
        for arrival in self._store.profiles.take_arrivals():
            found[self._store.profiles.find("users", arrival)][1].add(arrival)
        return {profile: deeds for profile, deeds in found.items() if profile is not None}

    def _follow(self, profile: int, deeds: tuple[set[Input], set[ExternalId]]) -> News:
        """Compute what follows for a profile; an id that is new may have come with a whole past."""
        touched, arrivals = deeds
        return News(profile, self._computations.refresh(profile, None if arrivals else touched), frozenset(arrivals))

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
        origin = Origin(self._now(), message_id)
        return Entry(self._resolved("users", external_ids, origin), at, origin, external_ids, call.touches())

    def _resolved(self, collection: Collection, external_ids: Sequence[ExternalId], origin: Origin) -> int:
        profile = resolved(self._store, collection, external_ids, origin)
        self._store.profiles.touch(profile, origin)
        return profile

    def _set(self, profile: int, traits: Mapping[str, Any] | None, at: int) -> None:
        for key, value in (traits or {}).items():
            self._store.traits.put(profile, Trait(key, value, at))

    def _now(self) -> int:
        return micros(self._clock())


CALLS: Mapping[str, Callable[[Journal, bytes], Entry | None]] = {
    "identify": Journal.identify,
    "track": Journal.track,
    "page": Journal.view,
    "screen": Journal.view,
    "group": Journal.group,
    "alias": Journal.alias,
}
