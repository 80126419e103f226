"""What calls do to profiles: identify and group set traits, track adds an event, group and alias connect profiles."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from personalize.sandbox.answers import Invalid, invalid
from personalize.sandbox.computed import Computations, News
from personalize.sandbox.identity import NAMING, NOBODY, aliased, resolved
from personalize.sandbox.inputs import Input
from personalize.sandbox.messages import Alias, Group, Identify, Message, Track, read
from personalize.sandbox.moments import Clock, micros
from personalize.sandbox.store import Collection, Event, ExternalId, Origin, Store, Trait

Tell = Callable[[News], object]
Place = tuple[Collection, int]
"""A profile, by its collection and its row."""

Deeds = tuple[set[Input], set[ExternalId]]
"""What was touched in a profile, and the ids that lead to it only now."""


def untold(_news: News) -> None:
    """Keep news for oneself."""


class Touch(NamedTuple):
    """What a call brings to a profile, which an external id leads to."""

    collection: Collection
    external_id: ExternalId
    inputs: frozenset[Input] = frozenset()


class Entry(NamedTuple):
    """A call that counts: whose it is, when it happened (microseconds since 1970), and by which ids."""

    profile: int
    at: int
    origin: Origin
    external_ids: tuple[ExternalId, ...]

    def touch(self, inputs: frozenset[Input] = frozenset()) -> Touch:
        """Return what the call brings to the person that it is about."""
        return Touch("users", self.external_ids[0], inputs)


class Odd(NamedTuple):
    """A call that is not valid: its type, its JSON, and why."""

    call_type: str
    body: bytes
    reason: str


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
        self._apply(touch for call in calls for touch in self._write(*call))

    def take(self, calls: Iterable[tuple[str, bytes]]) -> list[Odd]:
        """Apply calls as `write` does, but without those that are not valid; return these.

        Raises:
            Refused: a call is not JSON; then none of them is applied.
        """
        odd = []

        def touches() -> Iterator[Touch]:
            for call_type, body in calls:
                try:
                    yield from self._write(call_type, body)
                except Invalid as refused:
                    odd.append(Odd(call_type, body, refused.message))

        self._apply(touches())
        return odd

    def catch_up(self) -> None:
        """Compute everything of everybody anew, as time passes for windows also when nothing is called."""
        with self._store.transaction():
            following = [
                News(one, self._computations.refresh(collection, one), frozenset())
                for collection in NAMING
                for one in self._store.profiles.all(collection)
            ]
        for news in following:
            self._tell(news)

    def identify(self, body: bytes) -> list[Touch]:
        """Apply an identify call."""
        call = read(body, Identify)
        entry = self._enter(call)
        if entry is None:
            return []
        self._set("users", entry.profile, call.traits, entry.at)
        return [entry.touch(call.touches())]

    def track(self, body: bytes) -> list[Touch]:
        """Apply a track call, also to the account that it was done for."""
        call = read(body, Track)
        name = call.name()
        entry = self._enter(call)
        if entry is None:
            return []
        event = Event(
            entry.origin.message_id, name, entry.at, entry.external_ids, call.context or {}, call.properties or {}
        )
        self._store.events.add(entry.profile, event)
        account_id = call.account_id()
        if account_id is None:
            return [entry.touch(call.touches())]
        account = self._resolved("accounts", [account_id], entry.origin)
        self._store.events.add(account, msgspec.structs.replace(event, external_ids=(account_id, *entry.external_ids)))
        return [entry.touch(call.touches()), Touch("accounts", account_id, call.touches())]

    def view(self, body: bytes) -> list[Touch]:
        """Apply a page or screen call: the Profile API returns Track events only, but its ids count."""
        entry = self._enter(read(body, Message))
        return [entry.touch()] if entry else []

    def group(self, body: bytes) -> list[Touch]:
        """Apply a group call: somebody belongs to an account."""
        call = read(body, Group)
        account_ids = call.account_ids()
        entry = self._enter(call)
        if entry is None:
            return []
        account = self._resolved("accounts", account_ids, entry.origin)
        self._store.links.add(entry.profile, account, entry.origin.at)
        self._set("accounts", account, call.traits, entry.at)
        return [entry.touch(), Touch("accounts", account_ids[0], call.touches())]

    def alias(self, body: bytes) -> list[Touch]:
        """Apply an alias call: a user was known by another id."""
        call = read(body, Alias)
        previous_id = call.previous()
        entry = self._enter(call)
        if entry is None:
            return []
        aliased(self._store, entry.profile, previous_id, entry.origin)
        return [entry.touch()]

    def _apply(self, touches: Iterable[Touch]) -> None:
        """Let calls be applied, one after another as their touches are asked for; compute and tell what follows."""
        with self._store.transaction():
            self._store.profiles.take_arrivals()  # those of calls that were refused
            following = [self._follow(*deeds) for deeds in self._by_profile(list(touches)).items()]
        for news in following:
            self._tell(news)

    def _by_profile(self, touches: Iterable[Touch]) -> dict[Place, Deeds]:
        """Return what calls touched in each profile, and which ids are new to it."""
        found: dict[tuple[Collection, int | None], Deeds] = defaultdict(lambda: (set(), set()))
        for collection, external_id, inputs in touches:
            # Found anew, as a later call of a batch may have merged the profile of an earlier one into another.
            found[collection, self._store.profiles.find(collection, external_id)][0].update(inputs)
        for collection, arrival in self._store.profiles.take_arrivals():
            found[collection, self._store.profiles.find(collection, arrival)][1].add(arrival)
        return {(collection, profile): deeds for (collection, profile), deeds in found.items() if profile is not None}

    def _follow(self, place: Place, deeds: Deeds) -> News:
        """Compute what follows for a profile; an id that is new may have come with a whole past."""
        (collection, profile), (touched, arrivals) = place, deeds
        changes = self._computations.refresh(collection, profile, None if arrivals else touched)
        return News(profile, changes, frozenset(arrivals))

    def _write(self, call_type: str, body: bytes) -> list[Touch]:
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
        return Entry(self._resolved("users", external_ids, origin), at, origin, external_ids)

    def _resolved(self, collection: Collection, external_ids: Sequence[ExternalId], origin: Origin) -> int:
        profile = resolved(self._store, collection, external_ids, origin)
        self._store.profiles.touch(profile, origin)
        return profile

    def _set(self, collection: Collection, profile: int, traits: Mapping[str, Any] | None, at: int) -> None:
        """Set traits, but for those that are computed here: what is declared wins over what is said."""
        for key, value in (traits or {}).items():
            if not self._computations.declares(collection, key):
                self._store.traits.put(profile, Trait(key, value, at))

    def _now(self) -> int:
        return micros(self._clock())


CALLS: Mapping[str, Callable[[Journal, bytes], list[Touch]]] = {
    "identify": Journal.identify,
    "track": Journal.track,
    "page": Journal.view,
    "screen": Journal.view,
    "group": Journal.group,
    "alias": Journal.alias,
}
