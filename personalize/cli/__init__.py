"""The commands."""

import gc
from typing import Annotated

import typer

from personalize.cli import commands
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
        from importlib import metadata  # noqa: PLC0415 -- 0.07 s of a start, for `--version` alone

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
recipes.command(name="list")(commands.recipes_list)
recipes.command(name="new")(commands.recipes_new)
recipes.command(name="run")(commands.recipes_run)

sync = typer.Typer(
    help="Bring what a warehouse knows into profiles: Segment's Profiles destination, run from here.",
    epilog="Start with `personalize sync init`; `personalize sync run --dry-run` shows what would be sent.",
    no_args_is_help=True,
)
sync.command(name="init")(commands.sync_init)
sync.command(name="check")(commands.sync_check)
sync.command(name="run")(commands.sync_run)

app.command()(commands.serve)
app.add_typer(recipes, name="recipes")
app.command()(commands.sandbox)
app.add_typer(sync, name="sync")
app.command()(commands.profile)
app.command()(commands.purge)
app.command()(commands.token)
app.command()(commands.check_config)
app.command()(commands.health)


def main() -> None:
    """Run a command; what is wrong with the configuration is told in plain sentences."""
    try:
        app()
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(2) from None
    finally:
        gc.freeze()  # all that was loaded goes with the process: looking through it for garbage takes 0.1 s
