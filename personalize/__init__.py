"""What should this visitor see? Recipes over Segment profiles.

This is all that a recipe or a provider imports.
"""

from personalize.declare import recipe
from personalize.errors import ProviderFailed
from personalize.model import Event, Post, Posts, Product
from personalize.needs import Events, Items, Now, Param, Trait

__all__ = [
    "Event",
    "Events",
    "Items",
    "Now",
    "Param",
    "Post",
    "Posts",
    "Product",
    "ProviderFailed",
    "Trait",
    "recipe",
]
