"""`personalize recipes run`: one recipe about one visitor, and where its answer comes from."""

import asyncio
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

import typer
from prometheus_client import CollectorRegistry
from rich.console import Console

from personalize import sandbox, settings
from personalize.app import assemble, id_rules, load_recipes
from personalize.cli import origins as shown
from personalize.cli import terminal
from personalize.cli.serving import sandbox_settings
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


def run_recipe(  # noqa: PLR0913 -- the command's options
    name: Annotated[str, typer.Argument(help="The recipe's name.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="PARAM=VALUE", help="Its parameters, like limit=3.")
    ] = None,
    *,
    user_id: Annotated[str | None, typer.Option(help="Whom it is about.")] = None,
    anonymous_id: Annotated[str | None, typer.Option(help="The same, or beside it, for when that is unknown.")] = None,
    group_id: Annotated[str | None, typer.Option(help="The account that it is about.")] = None,
    external_id: Annotated[str | None, typer.Option(help="An id of another type, like android_idfa:abc.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")] = False,
    with_sandbox: Annotated[
        bool, typer.Option("--sandbox", help=f"Ask the sandbox on {sandbox.DEFAULT_URL} instead of Segment.")
    ] = False,
    sandbox_url: Annotated[
        str | None, typer.Option(help="Ask a sandbox that listens elsewhere, like http://127.0.0.1:8101.")
    ] = None,
) -> None:
    """Run one recipe about a visitor: show its answer, where each thing that it needs came from, and how long it took.

    Like `GET /api/{name}` with an API key, without a service: `timeout_ms=300` waits only so long. Exits with 1 if the
    recipe fails; what is said of that goes to standard error.
    """
    logs.configure("console")
    stand_in = sandbox_url or (sandbox.DEFAULT_URL if with_sandbox else None)
    loaded = sandbox_settings(stand_in) if stand_in else settings.load()
    recipes = load_recipes(loaded)
    about = {"user_id": user_id, "anonymous_id": anonymous_id, "group_id": group_id, "external_id": external_id}
    try:
        recipe = _found(recipes, name)
        query = _query(recipe, about, arguments or [], loaded)
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
