"""`personalize check-config`."""

import typer

from personalize import server, settings


def check_config() -> None:
    """Print the settings in effect, secrets masked; say all that is wrong with them."""
    loaded = settings.load()
    service = server.Service(loaded)
    for name, value, purpose in loaded.effective():
        typer.echo(f"# {purpose}\n{name}={value}\n")
    typer.echo(f"# Recipes: {', '.join(service.recipes)}")
