"""The commands."""

from importlib import metadata
from typing import Annotated

import typer

from personalize.cli import config, drafting, inspecting, listing, minting, probing, purging, serving, syncing, trying
from personalize.errors import ConfigurationError

HELP = "What should this visitor see? Small recipes over Segment profiles, answered in milliseconds."

app = typer.Typer(
    help=HELP,
    epilog="Start with `personalize serve --sandbox`: it needs no Segment account.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks would show local variables, and so secrets
)


def _tell_version(wanted: bool) -> None:  # noqa: FBT001 -- typer calls it with nothing but the value
    if wanted:
        typer.echo(f"personalize {metadata.version('personalize')}")
        raise typer.Exit


@app.callback(help=HELP)
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """Take options that stand before a command."""


recipes = typer.Typer(
    help="List the recipes, write a new one, or run one about a visitor.",
    epilog="Start with `personalize recipes new recently-seen`; it says what to do next.",
    no_args_is_help=True,
)
recipes.command(name="list")(listing.list_recipes)
recipes.command(name="new")(drafting.new_recipe)
recipes.command(name="run")(trying.run_recipe)

sync = typer.Typer(
    help="Bring what a warehouse knows into profiles: Segment's Profiles destination, run from here.",
    epilog="Start with `personalize sync init`; `personalize sync run --dry-run` shows what would be sent.",
    no_args_is_help=True,
)
sync.command(name="init")(syncing.init)
sync.command(name="check")(syncing.check)
sync.command(name="run")(syncing.run)

app.command()(serving.serve)
app.add_typer(recipes, name="recipes")
app.command(name="sandbox")(serving.serve_sandbox)
app.add_typer(sync, name="sync")
app.command()(inspecting.profile)
app.command()(purging.purge)
app.command()(minting.token)
app.command()(config.check_config)
app.command()(probing.health)


def main() -> None:
    """Run a command; what is wrong with the configuration is told in plain sentences."""
    try:
        app()
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(2) from None
