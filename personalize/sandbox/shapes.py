"""How the Profile API writes what the store knows: the JSON of its documentation's examples."""

from typing import Any

from personalize.sandbox.identity import NAMING
from personalize.sandbox.moments import written
from personalize.sandbox.store import SOURCE, Collection, Event, ExternalId, KnownId, Link, Metadata, Trait


def plain(trait: Trait) -> Any:  # noqa: ANN401 - a trait's value is any JSON value
    """Return a trait as its value alone."""
    return trait.value


def verbose(trait: Trait) -> dict[str, Any]:
    """Return a trait with where it is from and since when."""
    return {"value": trait.value, "source_id": trait.source, "updated_at": written(trait.updated_at)}


def known_id(known: KnownId) -> dict[str, Any]:
    """Return an external id of a profile."""
    return linked_id(known) | {"first_message_id": known.first_message_id}


def linked_id(known: KnownId) -> dict[str, Any]:
    """Return an external id of a linked profile: all but its first message."""
    return {
        "source_id": SOURCE,
        "collection": known.collection,
        "id": known.value,
        "type": known.type,
        "created_at": written(known.created_at),
        "encoding": known.encoding,
    }


def event(event: Event, profile: Metadata) -> dict[str, Any]:
    """Return an event of a profile."""
    return {
        "external_ids": [
            {"collection": _collection(one), "type": one.type, "id": one.value, "encoding": one.encoding}
            for one in event.external_ids
        ],
        "context": event.context,
        "type": "track",
        "message_id": event.message_id,
        "source_id": SOURCE,
        "timestamp": written(event.at),
        "properties": event.properties,
        "event": event.name,
        "related": {profile.collection: profile.segment_id},
    }


def metadata(metadata: Metadata) -> dict[str, Any]:
    """Return when a profile came to be and was last touched. Profiles do not expire here."""
    return {
        "segment_id": metadata.segment_id,
        "metadata": {
            "created_at": written(metadata.first.at),
            "updated_at": written(metadata.last.at),
            "expires_at": None,
            "first_message_id": metadata.first.message_id,
            "first_source_id": SOURCE,
            "last_message_id": metadata.last.message_id,
            "last_source_id": SOURCE,
        },
    }


def link(link: Link, known_ids: list[KnownId]) -> dict[str, Any]:
    """Return a link to a profile that has some external ids."""
    return {"to_collection": link.to_collection, "external_ids": [linked_id(known) for known in known_ids]}


def _collection(external_id: ExternalId) -> Collection:
    return "accounts" if external_id.type == NAMING["accounts"] else "users"
