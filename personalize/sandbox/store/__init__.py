"""What the sandbox remembers, in SQLite: profiles with their external ids, traits and events."""

from personalize.sandbox.store.database import Store
from personalize.sandbox.store.events import Event, EventFilter, Position, Tally
from personalize.sandbox.store.profiles import Collection, ExternalId
from personalize.sandbox.store.traits import Trait, TraitClass, TraitFilter

__all__ = [
    "Collection",
    "Event",
    "EventFilter",
    "ExternalId",
    "Position",
    "Store",
    "Tally",
    "Trait",
    "TraitClass",
    "TraitFilter",
]
