"""Providers, as the settings and the installed distributions have them."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from personalize.declare import NO_DEFAULT
from personalize.errors import RecipeLoadError
from personalize.model import Posts, Products
from personalize.needs import Items
from personalize.ports import ItemProvider
from personalize.providers.fetch import new_client
from personalize.providers.fixed import Fixed
from personalize.providers.plugins import load_providers
from personalize.providers.posts import posts_from
from personalize.providers.products import products_from
from personalize.providers.variants import EXAMPLE, variants_from
from personalize.registry import Registry
from personalize.settings import Settings
from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics


def providers_of(
    settings: Settings, recipes: Registry, metrics: Metrics
) -> tuple[Mapping[str, ItemProvider], tuple[AbstractAsyncContextManager[object], ...]]:
    """Return the providers by name, and what has to be entered, in order, for them to have items.

    Where a setting says what posts or products are, it counts before an installed provider of that name.
    """
    web = new_client(private=settings.private_feeds)
    polled: dict[str, ItemProvider] = {}
    if settings.posts_url:
        polled["posts"] = posts_from(settings.posts_url, web, metrics)
    if settings.products_url:
        polled["products"] = products_from(settings.products_url, web, metrics)
    if settings.variants_url:
        polled["variants"] = variants_from(settings.variants_url, web, metrics)
    wanted = {name for recipe in recipes.values() for name in recipe.providers}
    told = {key: value.get_secret_value() for key, value in settings.provider.items()}
    configured = {**load_providers(wanted - polled.keys(), told), **polled}
    fixed = (Fixed("posts", Posts()), Fixed("products", Products()), Fixed("variants", EXAMPLE))
    providers = {**{one.name: one for one in fixed}, **configured}
    _check(recipes, providers)
    for name in _missing(recipes, configured):
        logs.provider_missing(name, f"PERSONALIZE_{name.upper()}_URL")
    managed = (one for one in configured.values() if isinstance(one, AbstractAsyncContextManager))
    return providers, (web, *managed)


def _check(recipes: Registry, providers: Mapping[str, ItemProvider]) -> None:
    for recipe in recipes.values():
        for name in recipe.providers - providers.keys():
            there = ", ".join(sorted(providers))
            reason = f"no provider is named {name!r}; there is {there}. Name one of them, or install what brings it"
            raise RecipeLoadError(recipe.where, reason)


def _missing(recipes: Registry, configured: Mapping[str, ItemProvider]) -> list[str]:
    """Return the providers without which a recipe has nothing to show: it declares no default for their items."""
    needs = (one for recipe in recipes.values() for one in recipe.parameters if one.default is NO_DEFAULT)
    needed = {one.need.provider for one in needs if isinstance(one.need, Items)} - {"variants"}  # there is an example
    return sorted(needed - configured.keys())
