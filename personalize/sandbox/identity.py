"""Which profile a call is about: external ids that come together belong to one profile."""

from collections.abc import Sequence

from personalize.sandbox.store import ExternalId, Store

NOBODY = ExternalId("user_id", "nobody")
"""The user that never exists, so that there is always an id to show what an unknown visitor sees."""


def resolved(store: Store, external_ids: Sequence[ExternalId], at: int) -> int:
    """Return the one profile that all of a call's external ids lead to from now on.

    Args:
        store: where profiles are.
        external_ids: a user id, an anonymous id, or both in this order.
        at: when, in microseconds since 1970.
    """
    first, *others = external_ids
    profile = store.profiles.find("users", first)
    for other in others:
        known = _to_join(store, other)
        if profile is None:
            profile = known or store.profiles.create("users", first, at)
            _lead(store, first, profile, at)
        elif known and known != profile:
            store.merge(known, into=profile)
        _lead(store, other, profile, at)
    return profile or store.profiles.create("users", first, at)


def _to_join(store: Store, anonymous_id: ExternalId) -> int | None:
    """Return the profile of an anonymous id, unless a user has it: two people may share a browser, not a profile."""
    known = store.profiles.find("users", anonymous_id)
    return None if known is None or store.profiles.has_id_of(known, "user_id") else known


def _lead(store: Store, external_id: ExternalId, profile: int, at: int) -> None:
    if store.profiles.find("users", external_id) is None:
        store.profiles.attach(profile, external_id, at)
