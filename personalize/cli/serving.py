"""`personalize serve` and `personalize sandbox`."""

import hashlib
import os
import secrets
import socket
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Annotated, BinaryIO

import typer
from pydantic import SecretStr
from rich.progress import wrap_file

from personalize import sandbox, server, settings
from personalize.errors import ConfigurationError
from personalize.registry import AnyRecipe
from personalize.settings import PREFIX, Settings
from personalize.telemetry import libraries, logs

SANDBOX_API_KEY = "sandbox-api-key"
SANDBOX_KEY_NAME = "sandbox"
SANDBOX_IDENTITY_SECRET = "sandbox-identity-secret-known-to-all"  # noqa: S105 -- it is no secret, and guards demo data
SANDBOX_USER = "user_id=ada"
SANDBOX_ACCOUNT = "group_id=acme"
SANDBOX_VISITOR = "anonymous_id=5e0f0c5a-8d3c-4c57-9f0e-0d2f5b6a7c11"

EVENTS_AT_ONCE = ("last-viewed-not-purchased.ttl=1s", "event-timeline.ttl=1s")
"""Segment pushes computed traits and audiences, not events: a demonstration reads those again after a second."""

UNTOLD = (
    "Several workers without PERSONALIZE_REDIS_URL cannot tell each other what changes: pages show it once\n"
    "PERSONALIZE_CACHE_TTL is over.\n"
)

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)]


def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(help="Processes that answer side by side.", min=1, max=64)] = 1,
    *,
    reload: Annotated[
        bool, typer.Option("--reload", help="Load recipes again when their files are edited; for one worker.")
    ] = False,
    with_sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Run a local stand-in for Segment, with demo content, and read that.")
    ] = False,
    sandbox_port: Annotated[int, typer.Option(help="The sandbox's port.", min=0, max=65535)] = 8100,
) -> None:
    """Answer `/api/{recipe}`.

    Settings come from the environment: `personalize check-config` lists them.
    """
    if reload and workers > 1:
        raise typer.BadParameter("--reload is for one worker: leave out --workers, or --reload where nobody edits.")
    if with_sandbox:
        _serve_with_sandbox(host, port, sandbox_port, workers, reload=reload)
        return
    loaded = settings.load()
    with server.bind(host, port) as listener:
        service = server.Service(loaded, workers=workers)
        typer.echo(f"Personalize listens on {_url(host, listener)} (Ctrl-C stops it).")
        service.run(listener, reload=reload)


def _serve_with_sandbox(host: str, port: int, sandbox_port: int, workers: int, *, reload: bool) -> None:
    from personalize.sandbox.app import create_sandbox  # noqa: PLC0415 -- only here is it needed, and it takes a while

    with (
        server.bind(host, port) as listener,
        server.bind("127.0.0.1", sandbox_port, option="--sandbox-port") as sandbox_listener,
    ):
        service_url, sandbox_url = _url(host, listener), _url("127.0.0.1", sandbox_listener)
        loaded = sandbox_settings(sandbox_url)
        loaded = _wired(loaded, workers)
        service = server.Service(loaded, workers=workers)
        secret = loaded.webhook_secret
        stand_in = create_sandbox(
            base_url=sandbox_url,
            service_url=service_url,
            login=_login(loaded),
            webhook_url=f"{service_url}/webhooks/segment" if secret else None,
            webhook_secret=secret.get_secret_value() if secret else None,
        )
        key = SANDBOX_API_KEY if SANDBOX_KEY_NAME in dict(loaded.api_keys) else "<your API key>"
        calls = [_curl(service_url, recipe, key) for recipe in service.recipes.values()]
        typer.echo(_welcome(service_url, sandbox_url, calls))
        if secret is None:
            typer.echo(UNTOLD)
        with server.companion(stand_in, sandbox_listener, stand_in.state.leave):
            service.run(listener, reload=reload)


def serve_sandbox(  # noqa: PLR0913 -- the command's options
    host: Host = "127.0.0.1",
    port: Port = 8100,
    service: Annotated[str, typer.Option(help="Where the demo pages find the service.")] = "http://127.0.0.1:8000",
    *,
    data: Annotated[
        str, typer.Option(help="An SQLite file that keeps the profiles from one start to the next.")
    ] = ":memory:",
    seed: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(help="JSON Lines of Tracking calls, each with its `type`, to begin with."),
    ] = None,
    rate_limit: Annotated[
        float, typer.Option(help="Requests/s that the Profile API takes; 0 is no limit.", min=0)
    ] = 100,
    webhook_url: Annotated[
        str | None, typer.Option(help="Where changes of computed traits and audiences are pushed to.")
    ] = None,
    webhook_secret: Annotated[
        str | None, typer.Option(help="Signs what is pushed.", envvar="SANDBOX_WEBHOOK_SECRET")
    ] = None,
) -> None:
    """Run the stand-in for Segment alone: Profile API, Tracking API, demo blog and shop.

    GET /sandbox/calls lists what was asked, GET /sandbox/dropped the Tracking calls that were answered with success
    and left out, as Segment does with what is not valid. POST /sandbox/faults lets either API fail, POST
    /sandbox/clock moves the time, and POST /sandbox/reset starts over.
    """
    from personalize.sandbox.app import create_sandbox  # noqa: PLC0415 -- only here is it needed, and it takes a while

    logs.configure("console")
    libraries.listen()
    with server.bind(host, port) as listener:
        url = _url(host, listener)
        try:
            stand_in = create_sandbox(
                base_url=url,
                service_url=service,
                database=data,
                history=_shown(seed) if seed else (),
                rate_limit=rate_limit,
                webhook_url=webhook_url,
                webhook_secret=webhook_secret,
            )
        except (ValueError, sqlite3.Error) as error:
            raise ConfigurationError(f"The sandbox cannot start: {error}") from None
        typer.echo(f"The sandbox listens on {url} (Ctrl-C stops it).")
        server.run(stand_in, listener, leave=stand_in.state.leave)


def _shown(file: BinaryIO) -> Iterator[bytes]:
    """Yield a file's lines, and show on the terminal how far it is read."""
    with wrap_file(file, total=os.fstat(file.fileno()).st_size, description="Seeding", transient=True) as lines:
        yield from lines


def sandbox_settings(url: str) -> Settings:
    """Return the settings of a service that reads the sandbox, whatever space the environment names.

    What the environment says of anything else counts; what it leaves open gets what suits a demonstration.
    """
    loaded = settings.load(
        defaults={
            PREFIX + "API_KEYS": f"{SANDBOX_KEY_NAME}:sha256:{hashlib.sha256(SANDBOX_API_KEY.encode()).hexdigest()}",
            PREFIX + "IDENTITY_KEYS": f"{SANDBOX_KEY_NAME}:{SANDBOX_IDENTITY_SECRET}",
            PREFIX + "BROWSER_TTL": "0s",
            PREFIX + "CONSOLE": "open",
            PREFIX + "DRAIN_DELAY": "0s",
            PREFIX + "LOG_FORMAT": "console",
            PREFIX + "POSTS_URL": f"{url}/blog/feed.xml",
            PREFIX + "PRIVATE_FEEDS": "true",  # it is on loopback
            PREFIX + "REVALIDATE_TTL": "1s",
        },
        forced={
            PREFIX + "ACCESS_TOKEN": sandbox.ACCESS_TOKEN,
            PREFIX + "PROFILE_API_URL": url,
            PREFIX + "SPACE_ID": sandbox.SPACE,
        },
    )
    if "shipped" in loaded.recipes and not loaded.overrides:
        loaded = loaded.model_copy(update={"overrides": EVENTS_AT_ONCE})
    demo = (url, url.replace("127.0.0.1", "localhost"))
    return loaded.model_copy(update={"allowed_origins": (*loaded.allowed_origins, *demo)})


def _login(loaded: Settings) -> tuple[str, str] | None:
    """Return the key by which the service believes the demo site, while that is the sandbox's own."""
    known = SANDBOX_KEY_NAME in {key.kid for key in loaded.identity_keys}
    return (SANDBOX_KEY_NAME, SANDBOX_IDENTITY_SECRET) if known else None


def _wired(loaded: Settings, workers: int) -> Settings:
    """Return settings with a secret made for this run, so that the sandbox can push what changes.

    It stays off where several workers could not tell each other what one of them is told.
    """
    alone = (loaded.fleet_size or workers) == 1
    if loaded.webhook_secret is not None or not (alone or loaded.redis_url):
        return loaded
    return loaded.model_copy(update={"webhook_secret": SecretStr(secrets.token_urlsafe())})


def _url(host: str, listener: socket.socket) -> str:
    """Return the URL under which this machine reaches an address it listens on."""
    port = listener.getsockname()[1]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- compared, not bound
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


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
    visitor = SANDBOX_VISITOR if recipe.access == "verified" else SANDBOX_USER
    about = SANDBOX_ACCOUNT if recipe.collection == "accounts" else visitor
    proof = f" -H 'Authorization: Bearer {key}'" if server_only else ""
    return f"curl{proof} '{service_url}/api/{recipe.name}?{about}'"
