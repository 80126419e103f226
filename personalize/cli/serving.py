"""`personalize serve`: the service, alone or with a sandbox to read."""

from collections.abc import Iterable

import typer

from personalize import listening, server, settings
from personalize.cli import demonstration
from personalize.cli.demonstration import ACCOUNT, USER, VISITOR
from personalize.registry import AnyRecipe

UNTOLD = (
    "Several workers without PERSONALIZE_REDIS_URL cannot tell each other what changes: pages show it once\n"
    "PERSONALIZE_CACHE_TTL is over.\n"
)


def serve(host: str, port: int, workers: int, *, reload: bool) -> None:
    """Answer as the settings say, until told to stop."""
    loaded = settings.load()
    with listening.bind(host, port) as listener:
        service = server.Service(loaded, workers=workers)
        typer.echo(f"Personalize listens on {listening.url(host, listener)} (Ctrl-C stops it).")
        service.run(listener, reload=reload)


def serve_with_sandbox(host: str, port: int, sandbox_port: int, workers: int, *, reload: bool) -> None:
    """Answer about the visitors of a sandbox, which answers in Segment's place meanwhile."""
    from personalize.sandbox.app import create_sandbox  # noqa: PLC0415 -- only here is it needed, and it takes a while

    with (
        listening.bind(host, port) as listener,
        listening.bind("127.0.0.1", sandbox_port, option="--sandbox-port") as sandbox_listener,
    ):
        service_url, sandbox_url = listening.url(host, listener), listening.url("127.0.0.1", sandbox_listener)
        loaded = demonstration.wired(demonstration.sandbox_settings(sandbox_url), workers)
        service = server.Service(loaded, workers=workers)
        secret = loaded.webhook_secret
        stand_in = create_sandbox(
            base_url=sandbox_url,
            service_url=service_url,
            login=demonstration.login(loaded),
            webhook_url=f"{service_url}/webhooks/segment" if secret else None,
            webhook_secret=secret.get_secret_value() if secret else None,
        )
        key = demonstration.API_KEY if demonstration.KEY_NAME in dict(loaded.api_keys) else "<your API key>"
        calls = [_curl(service_url, recipe, key) for recipe in service.recipes.values()]
        typer.echo(_welcome(service_url, sandbox_url, calls))
        if secret is None:
            typer.echo(UNTOLD)
        with listening.companion(stand_in, sandbox_listener, stand_in.state.leave):
            service.run(listener, reload=reload)


def _welcome(service_url: str, sandbox_url: str, calls: Iterable[str]) -> str:
    return (
        f"Open   {sandbox_url}/   a demo blog and shop that know their reader\n"
        f"       {service_url}/console   each recipe's answer, where it came from, and what took how long\n\n"
        f"Personalize listens on {service_url}, with a sandbox in Segment's place on {sandbox_url}.\n\n"
        "Or ask what a visitor should see:\n" + "".join(f"  {call}\n" for call in calls) + "\n"
        "Ctrl-C stops both.\n"
    )


def _curl(service_url: str, recipe: AnyRecipe, key: str) -> str:
    """Return a call of a recipe that works when pasted: its access says which proof it takes."""
    server_only = recipe.access == "server" or recipe.collection == "accounts"
    visitor = VISITOR if recipe.access == "verified" else USER
    about = ACCOUNT if recipe.collection == "accounts" else visitor
    proof = f" -H 'Authorization: Bearer {key}'" if server_only else ""
    return f"curl{proof} '{service_url}/api/{recipe.name}?{about}'"
