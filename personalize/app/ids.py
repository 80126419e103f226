"""Ids, as the settings accept them."""

from personalize.settings import Settings
from personalize.trust.ids import IdRules


def id_rules(settings: Settings) -> IdRules:
    """Return which external ids the settings accept."""
    return IdRules(frozenset(settings.id_types), pii=settings.pii_ids, lowercase=settings.lowercase_external_ids)
