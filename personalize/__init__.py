"""What should this visitor see? Recipes over Segment profiles.

This is all that a recipe or a provider imports.
"""

from personalize.declare import recipe
from personalize.errors import ProviderFailed
from personalize.model import (
    Event,
    ExternalId,
    Link,
    Post,
    Posts,
    Product,
    Products,
    ProfileMetadata,
    Variant,
    Variants,
)
from personalize.needs import (
    AllTraits,
    Audiences,
    Events,
    ExternalIds,
    Items,
    Links,
    Metadata,
    Now,
    Param,
    Trait,
)
from personalize.ports import ItemProvider

__all__ = [
    "AllTraits",
    "Audiences",
    "Event",
    "Events",
    "ExternalId",
    "ExternalIds",
    "ItemProvider",
    "Items",
    "Link",
    "Links",
    "Metadata",
    "Now",
    "Param",
    "Post",
    "Posts",
    "Product",
    "Products",
    "ProfileMetadata",
    "ProviderFailed",
    "Trait",
    "Variant",
    "Variants",
    "recipe",
]
