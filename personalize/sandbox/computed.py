"""Computed traits: what the sandbox works out from a profile's events, as Segment's Unify would."""

import msgspec

from personalize.sandbox.store import Store, Trait


class MostFrequent(msgspec.Struct, frozen=True):
    """A trait whose value is the text that a property of an event had most often; of equals, the one seen last."""

    key: str
    event: str
    property: str

    def refresh(self, store: Store, profile: int, now: int) -> None:
        """Compute the trait of a profile anew; without any event it stays as it is."""
        tallies = store.events.tallies(profile, self.event, self.property)
        if tallies:
            favorite = max(tallies, key=lambda tally: (tally.times, tally.last))
            store.traits.put(profile, Trait(self.key, favorite.value, now, class_="computed_trait"))


COMPUTED_TRAITS = (MostFrequent("favorite_blog_category", event="Post Viewed", property="category"),)


def refresh(store: Store, profile: int, now: int) -> None:
    """Compute all computed traits of a profile anew; `now` is in microseconds since 1970."""
    for trait in COMPUTED_TRAITS:
        trait.refresh(store, profile, now)
