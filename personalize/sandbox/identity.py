"""Which profile a call is about: external ids that come together belong to one profile."""

from collections.abc import Mapping, Sequence

from personalize.sandbox.store import Collection, ExternalId, Origin, Store

NOBODY = ExternalId("user_id", "nobody")
"""The user that never exists, so that there is always an id to show what an unknown visitor sees."""

NAMING: Mapping[Collection, str] = {"users": "user_id", "accounts": "group_id"}
"""The type of id that tells one person or account from another; a profile with one is never joined to another's."""


def resolved(store: Store, collection: Collection, external_ids: Sequence[ExternalId], origin: Origin) -> int:
    """Return the one profile that a call is about, and that its external ids lead to from now on.

    An id that somebody else has stays with them: two people may share a browser, not a profile.

    Args:
        store: where profiles are.
        collection: of people or of accounts.
        external_ids: at least one; the one of the naming type first, if there is one.
        origin: the call.
    """
    profile = _owner(store, collection, external_ids)
    if profile is None:
        profile = store.profiles.create(collection, external_ids[0], origin)
    for external_id in external_ids:
        _join(store, collection, external_id, profile, origin)
    return profile


def aliased(store: Store, profile: int, previous_id: str, origin: Origin) -> None:
    """Give a user what a previous id leads to.

    A previous user is merged whole, which only an alias does. Any other id is taken for an anonymous one, and joins
    the user as in all calls.

    Args:
        store: where profiles are.
        profile: the user's.
        previous_id: a user id or an anonymous id; an alias does not say which.
        origin: the call.
    """
    previous = store.profiles.find("users", ExternalId("user_id", previous_id))
    if previous is None:
        _join(store, "users", ExternalId("anonymous_id", previous_id), profile, origin)
    elif previous != profile:
        store.merge(previous, into=profile)


def _owner(store: Store, collection: Collection, external_ids: Sequence[ExternalId]) -> int | None:
    """Return whom a call names; if it names nobody, the first who is known by one of its ids, people with names first.

    A new name takes over a profile that has none.
    """
    first = external_ids[0]
    found = [store.profiles.find(collection, external_id) for external_id in external_ids]
    known = [profile for profile in found if profile is not None]
    named = [profile for profile in known if _has_name(store, collection, profile)]
    unnamed = [profile for profile in known if profile not in named]
    if first.type == NAMING[collection]:
        return next(iter(unnamed), None) if found[0] is None else found[0]
    return next(iter([*named, *unnamed]), None)


def _join(store: Store, collection: Collection, external_id: ExternalId, profile: int, origin: Origin) -> None:
    """Let an id lead to a profile, with all that the id led to before, unless it is somebody else's."""
    known = store.profiles.find(collection, external_id)
    if known is None:
        store.profiles.attach(profile, external_id, origin)
    elif known != profile and not _has_name(store, collection, known):
        store.merge(known, into=profile)


def _has_name(store: Store, collection: Collection, profile: int) -> bool:
    return store.profiles.has_id_of(profile, NAMING[collection])
