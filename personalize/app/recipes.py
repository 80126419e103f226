"""Recipes, as the settings have them."""

from personalize import registry
from personalize.overrides import overridden
from personalize.registry import Registry
from personalize.settings import Settings


def load_recipes(settings: Settings) -> Registry:
    """Return the recipes that the settings name and those of installed distributions, as the deployment wants them.

    Raises:
        RecipeLoadError: a recipe cannot be loaded.
        SettingsError: an override fits no recipe.
    """
    return overridden(registry.load(settings.recipes), settings.overrides)
