"""A recipe run over what a test knows, the way the service does it: arguments and answer are checked by their types."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from personalize import registry
from personalize.errors import RecipeFailed
from personalize.model import Post, Posts, Product, Products, Section, Snapshot
from personalize.registry import AnyRecipe, Registry
from personalize.testing.profiles import NOW, Profile
from personalize.web import params as web_params
from personalize.web.fragments import Fragments


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a page would get.

    `data` is the answer as JSON has it, `html` what the recipe's template makes of it (`None` where there is none).
    `personalized` says whether any profile need was filled, `mismatched` names the parameters that kept their default
    since the trait was of another type.
    """

    data: Any
    personalized: bool
    mismatched: tuple[str, ...]
    html: str | None


def run(
    recipe: AnyRecipe,
    who: Profile | None = None,
    *,
    params: Mapping[str, object] | None = None,
    posts: Iterable[Post] | Posts = (),
    products: Iterable[Product] | Products = (),
    items: Mapping[str, object] | None = None,
    now: datetime = NOW,
) -> RunOutcome:
    """Return what a recipe answers about somebody.

    Args:
        recipe: one of `recipes_beside(__file__)`, or the decorated function itself.
        who: a `visitor()`; left out, one whom nobody knows.
        params: of the request, as texts or as JSON values.
        posts: the blog's.
        products: the shop's.
        items: of other providers, by the provider's name.
        now: the time of the request.

    Raises:
        BadParameter: a page would get a 400.
        RecipeFailed: the recipe raised, which is the cause; or it returned something else than it declares.
    """
    snapshot = _nobody(recipe, now) if who is None else who.snapshot(now)
    there = {"posts": _posts(posts), "products": _products(products), **(items or {})}
    binding = recipe.bind(snapshot, _wanted(recipe, there), web_params.arguments(params or {}, recipe), now)
    try:
        raw = recipe.answer(binding.arguments)
    except RecipeFailed as failure:
        failure.add_note(f"{recipe.name} ({recipe.where}) {failure.reason}: {failure.__cause__}")
        raise
    fragment = Fragments([recipe]).of(recipe)
    html = None if fragment is None else fragment.render(raw)
    return RunOutcome(msgspec.json.decode(raw), binding.found, binding.mismatched, html)


def recipes_beside(file: str) -> Registry:
    """Return the recipes of the folder that a test lies in: `recipes_beside(__file__)["recently-seen"]`.

    Raises:
        RecipeLoadError: one of them is wrong; says where and why.
    """
    return registry.load([str(Path(file).resolve().parent)])


def _nobody(recipe: AnyRecipe, now: datetime) -> Snapshot:
    """Return what is read of somebody who does not exist."""
    return Snapshot({name: Section(None, (), now.timestamp()) for name in recipe.sections})


def _posts(posts: Iterable[Post] | Posts) -> Posts:
    return posts if isinstance(posts, Posts) else Posts(posts)


def _products(products: Iterable[Product] | Products) -> Products:
    return products if isinstance(products, Products) else Products(products)


def _wanted(recipe: AnyRecipe, items: Mapping[str, object]) -> Mapping[str, object]:
    """Return the items; a provider that the recipe reads and the test forgot is told."""
    for name in sorted(recipe.providers - items.keys()):
        raise LookupError(f'{recipe.name} reads the provider {name!r}: say items={{"{name}": …}}')
    return items
