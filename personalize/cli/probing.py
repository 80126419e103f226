"""`personalize health`: listed with the other commands, and run before they are loaded; see `personalize.health`."""

from typing import Annotated

import typer

from personalize.health import URL, ask


def health(url: Annotated[str, typer.Argument(help="Where the service answers.")] = URL) -> None:
    """Ask a running service whether traffic may come: exits with 0 if it may, else with 1."""
    ready, word = ask(url)
    typer.echo(word)
    raise typer.Exit(0 if ready else 1)
