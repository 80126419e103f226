"""Values without what is null in them."""

from collections.abc import Mapping

from personalize.destination.values import MISSING, Found


def without_nulls(value: Found) -> Found:
    """Return an object without its null members, however deep; null alone is nothing at all."""
    if value is None:
        return MISSING
    if not isinstance(value, Mapping):
        return value
    kept = ((name, without_nulls(one)) for name, one in value.items())
    return {name: one for name, one in kept if one is not MISSING}
