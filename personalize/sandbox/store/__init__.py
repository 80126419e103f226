"""What the sandbox remembers, in SQLite: profiles with their external ids, traits, events and links."""

from personalize.sandbox.store.database import Store
from personalize.sandbox.store.events import Event, EventFilter
from personalize.sandbox.store.external_ids import Collection, ExternalId, IdFilter, KnownId, Position
from personalize.sandbox.store.links import Link
from personalize.sandbox.store.profiles import Metadata, Origin
from personalize.sandbox.store.traits import SOURCE, Trait, TraitClass, TraitFilter

__all__ = [
    "SOURCE",
    "Collection",
    "Event",
    "EventFilter",
    "ExternalId",
    "IdFilter",
    "KnownId",
    "Link",
    "Metadata",
    "Origin",
    "Position",
    "Store",
    "Trait",
    "TraitClass",
    "TraitFilter",
]
