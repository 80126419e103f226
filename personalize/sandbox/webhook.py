"""The webhook: Segment's calls about computed traits and audiences that changed."""

import uuid
from typing import Any

import msgspec

from personalize.sandbox.computed import Change, Computations, News
from personalize.sandbox.moments import Clock, micros, written
from personalize.sandbox.pusher import Pusher
from personalize.sandbox.store import ExternalId, IdFilter, Store

MEMBERS = {"user_id": "userId", "anonymous_id": "anonymousId"}
"""The types of external ids that a call can be about, and the member that names each."""

_UNLIMITED = -1  # as SQLite says it


class Webhook:
    """Makes identify calls of news, one for each change and external id.

    Args:
        store: which ids lead to a profile.
        computations: what somebody has who is told for the first time.
        pusher: what sends the calls.
        clock: what time it is.
        space: the id of the space that calls say they are from.
    """

    def __init__(self, store: Store, computations: Computations, pusher: Pusher, clock: Clock, *, space: str) -> None:
        self._store = store
        self._computations = computations
        self._pusher = pusher
        self._clock = clock
        self._space = space

    def tell(self, news: News) -> None:
        """Push what changed; an id that is new hears all that its profile has."""
        if self._pusher.target is None or not (news.changes or news.arrivals):
            return
        for known in self._store.external_ids.page(news.profile, IdFilter(include=tuple(MEMBERS)), _UNLIMITED):
            if known.collection == "accounts":  # which no identify call is about, whatever types its ids have
                continue
            external_id = ExternalId(known.type, known.value, known.encoding)
            is_new = external_id in news.arrivals
            for change in self._computations.standing(known.collection, news.profile) if is_new else news.changes:
                self._pusher.push(msgspec.json.encode(self._call(external_id, change)))

    def _call(self, external_id: ExternalId, change: Change) -> dict[str, Any]:
        declared = change.declared
        personas = {
            "computation_class": "audience" if declared.class_ == "audience" else "trait",
            "computation_key": declared.key,
            "computation_id": declared.computation_id,
            "namespace": self._space,
            "space_id": self._space,
        }
        return {
            "type": "identify",
            MEMBERS[external_id.type]: external_id.value,
            "traits": {declared.key: change.value},
            "context": {"personas": personas},
            "messageId": f"personas_{uuid.uuid4()}",
            "timestamp": written(micros(self._clock())),
        }
