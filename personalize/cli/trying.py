"""`personalize recipes run`: one recipe about one visitor, and where its answer comes from."""

import asyncio
from collections.abc import Mapping
from urllib.parse import urlencode

import typer
from prometheus_client import CollectorRegistry
from rich.console import Console

from personalize import settings
from personalize.app.ids import id_rules
from personalize.app.parts import assemble
from personalize.app.recipes import load_recipes
from personalize.cli import origins as shown
from personalize.cli import terminal
from personalize.cli.demonstration import sandbox_settings
from personalize.engine import Call, Outcome, origins
from personalize.engine.origins import Origin
from personalize.errors import BadParameter
from personalize.registry import AnyRecipe, Registry
from personalize.settings import Settings
from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics
from personalize.web import params
from personalize.web.params import Query

SECONDS = 2.0
"""What the profile's read may take, unless `timeout_ms` says less: a person waits longer than a page."""

FAILED = 1


def run(
    name: str, about: Mapping[str, str | None], arguments: list[str], sandbox_url: str | None, *, as_json: bool
) -> None:
    """Run one recipe, and print its answer.

    Args:
        name: the recipe's.
        about: the visitor's ids, by the parameters that name them.
        arguments: the recipe's own parameters, each `name=value`.
        sandbox_url: where the sandbox is, if it is read instead of Segment.
        as_json: prints JSON.
    """
    logs.configure("console")
    loaded = sandbox_settings(sandbox_url) if sandbox_url else settings.load()
    recipes = load_recipes(loaded)
    try:
        recipe = _found(recipes, name)
        query = _query(recipe, about, arguments, loaded)
    except BadParameter as error:
        raise typer.BadParameter(str(error)) from None
    outcome, items = asyncio.run(_answered(loaded, recipes, Call(recipe, query.params), query))
    _show(outcome, origins.of(recipe, outcome, query.params, items), as_json=as_json)


def _found(recipes: Registry, name: str) -> AnyRecipe:
    if name not in recipes:
        raise BadParameter("name", f"is no recipe.{params.suggestion(name, recipes)} `recipes list` shows them.")
    return recipes[name]


def _query(recipe: AnyRecipe, about: Mapping[str, str | None], arguments: list[str], loaded: Settings) -> Query:
    """Return what is asked, read the way a page's query string is."""
    pairs = [argument.partition("=") for argument in arguments]
    for name, equals, _ in pairs:
        if not equals:
            raise BadParameter(name, f"has no value: write {name}=…")
    given = [(name, one) for name, one in about.items() if one is not None]
    text = urlencode([*given, *((name, value) for name, _, value in pairs)])
    return params.parse(text.encode(), recipe, id_rules(loaded))


async def _answered(
    loaded: Settings, recipes: Registry, call: Call, query: Query
) -> tuple[Outcome, Mapping[str, object]]:
    """Return the outcome, and the items that there were.

    All recipes are planned for, as in the service: what is kept of a profile in Redis would else be too little for it.
    """
    parts = assemble(loaded, recipes, Metrics(CollectorRegistry()))
    async with parts.opened() as engine:
        deadline = asyncio.get_running_loop().time() + (query.seconds or SECONDS)
        [outcome] = await engine.serve([call], query.visitor, deadline, "server")
        return outcome, {name: parts.providers[name].items() for name in call.recipe.providers}


def _show(outcome: Outcome, read: list[Origin], *, as_json: bool) -> None:
    """Print an outcome; a recipe that failed ends the command with its status."""
    if as_json:
        typer.echo(terminal.json(origins.members(outcome, read)))
    elif outcome.data is not None:
        typer.echo(f"{terminal.json(outcome.data)}\n\n{shown.sentence(outcome)}\n")
        Console().print(shown.table(outcome, read))
    if outcome.error is not None:
        cause = outcome.error.__cause__
        why = f" ({type(cause).__name__}: {cause})" if cause else ""
        typer.echo(terminal.visible(f"Recipe {outcome.recipe} {outcome.error.reason}{why}."), err=True)
        raise typer.Exit(FAILED)
