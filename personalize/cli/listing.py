"""`personalize recipes list`: which recipes there are, and what each needs."""

from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from personalize import sandbox, settings
from personalize.app.recipes import load_recipes
from personalize.cli import terminal
from personalize.cli.terminal import Cell
from personalize.declare import signatures
from personalize.needs import Param
from personalize.registry import AnyRecipe
from personalize.settings import PREFIX, Settings

HEADS = ("recipe, access, ttl", "needs, from")
"""Two columns, so that nothing is broken where a terminal is 80 wide."""


def list_recipes(*, as_json: bool) -> None:
    """Print the recipes that would be served."""
    loaded = without_space()
    listed = [_listed(recipe, loaded.cache_ttl) for recipe in load_recipes(loaded).values()]
    if as_json:
        typer.echo(terminal.json(listed))
    else:
        Console().print(terminal.table(None, HEADS, map(_row, listed), whole=HEADS[:1]))


def without_space() -> Settings:
    """Return the settings, for what has to do with recipes alone: those of a space may be missing."""
    return settings.load(defaults={PREFIX + "ACCESS_TOKEN": sandbox.ACCESS_TOKEN, PREFIX + "SPACE_ID": sandbox.SPACE})


def _listed(recipe: AnyRecipe, ttl_max: float) -> dict[str, Any]:
    needs = {one.name: signatures.need(one.need) for one in recipe.parameters if not isinstance(one.need, Param)}
    return {
        "name": recipe.name,
        "access": recipe.access,
        "collection": recipe.collection,
        "needs": needs,
        "parameters": [signatures.param(one) for one in recipe.params.values()],
        "ttl": min(recipe.ttl, ttl_max) if recipe.sections else None,
        "from": recipe.where,
    }


def _row(listed: dict[str, Any]) -> tuple[Cell, Cell]:
    access = listed["access"] if listed["collection"] == "users" else f"{listed['access']} ({listed['collection']})"
    ttl = "" if listed["ttl"] is None else f", {listed['ttl']:g}s"
    return (
        [listed["name"], access + ttl],
        [*listed["needs"].values(), *listed["parameters"], _near(listed["from"])],
    )


def _near(where: str) -> str:
    """Return a place as seen from here, if it is below."""
    return where.removeprefix(f"{Path.cwd()}/")
