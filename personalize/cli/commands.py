"""The commands as they are typed: each one's arguments, options and help.

A command imports its work when it runs, so that nobody waits for what only other commands need.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from personalize.health import URL, ask
from personalize.model import Collection
from personalize.sandbox import DEFAULT_URL

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)]
OfCollection = Annotated[Collection, typer.Option(help="Whose profile: a user's or an account's.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]
WithSandbox = Annotated[bool, typer.Option("--sandbox", help=f"Ask the sandbox on {DEFAULT_URL} instead of Segment.")]
SandboxUrl = Annotated[
    str | None, typer.Option(help="Ask a sandbox that listens elsewhere, like http://127.0.0.1:8101.")
]
Mappings = Annotated[Path, typer.Argument(help="The file of mappings, in TOML.", dir_okay=False)]


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
    with _loading():
        from personalize.cli import serving

    if with_sandbox:
        serving.serve_with_sandbox(host, port, sandbox_port, workers, reload=reload)
    else:
        serving.serve(host, port, workers, reload=reload)


def sandbox(  # noqa: PLR0913 -- the command's options
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
    from personalize.cli import sandboxing

    sandboxing.serve(
        host,
        port,
        service_url=service,
        database=data,
        seed=seed,
        rate_limit=rate_limit,
        webhook_url=webhook_url,
        webhook_secret=webhook_secret,
    )


def profile(
    external_id: Annotated[str, typer.Argument(help="An id type and a value, like user_id:ada.")],
    *,
    collection: OfCollection = "users",
    events: Annotated[bool, typer.Option("--events", help="Also the newest events of the last 14 days.")] = False,
    links: Annotated[bool, typer.Option("--links", help="Also the accounts or users that it is linked to.")] = False,
    as_json: AsJson = False,
    with_sandbox: WithSandbox = False,
    sandbox_url: SandboxUrl = None,
) -> None:
    """Show what Segment knows of a profile: ids, traits with their age, and more when asked.

    Exits with 1 if there is no such profile, with 3 if Segment could not be read.
    """
    from personalize.cli import inspecting

    url = _asked_instead(sandbox_url, with_sandbox=with_sandbox)
    inspecting.inspect(external_id, collection, url, events=events, links=links, as_json=as_json)


def purge(
    external_ids: Annotated[
        list[str], typer.Argument(help="Ids of the person, each an id type and a value, like user_id:ada.")
    ],
    collection: OfCollection = "users",
) -> None:
    """Forget what is cached of a person, under every id, in Redis and in every process.

    Segment is asked for the person's other ids; the next page asks it anew. Exits with 3 if Redis did not take it.
    """
    from personalize.cli import purging

    purging.purge(external_ids, collection)


def token(
    subject: Annotated[str, typer.Argument(help="Whom it names: user_id:ada, or anonymous_id:….")],
    *,
    ttl: Annotated[str, typer.Option(help="For how long it is good, an hour at most.")] = "15m",
    kid: Annotated[str | None, typer.Option(help="The key that signs it; else the first one that can.")] = None,
    with_sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Sign it for a service that runs with `serve --sandbox`.")
    ] = False,
) -> None:
    """Print an identity token for tests, signed with a secret of PERSONALIZE_IDENTITY_KEYS.

    Real ones are signed where visitors log in: the README shows how.
    """
    from personalize.cli import minting

    minting.mint(subject, ttl, kid, DEFAULT_URL if with_sandbox else None)


def check_config() -> None:
    """Print the settings in effect, secrets masked; say all that is wrong with them, and warn of what may be.

    Redis is asked how it is set up, if there is one, and name servers where content comes from; Segment is not asked.
    """
    from personalize.cli import config

    config.check()


def health(url: Annotated[str, typer.Argument(help="Where the service answers.")] = URL) -> None:
    """Ask a running service whether traffic may come: exits with 0 if it may, else with 1."""
    ready, word = ask(url)
    typer.echo(word)
    raise typer.Exit(0 if ready else 1)


def recipes_list(*, as_json: AsJson = False) -> None:
    """List the recipes that would be served: who may ask, what each needs, and where it is declared.

    As PERSONALIZE_RECIPES and PERSONALIZE_OVERRIDES say; no space is needed. The ttl is the greatest age in seconds at
    which what is read of a profile counts as fresh.
    """
    from personalize.cli import listing

    listing.list_recipes(as_json=as_json)


def recipes_new(
    name: Annotated[str, typer.Argument(help="What it is served as: lowercase words joined by hyphens.")],
    folder: Annotated[Path, typer.Option(help="Where its file and its test are written.")] = Path("mine"),
) -> None:
    """Write a recipe that works and its test, and say what to do next. What is there already stays as it is."""
    from personalize.cli import drafting

    drafting.draft(name, folder)


def recipes_run(  # noqa: PLR0913 -- the command's options
    name: Annotated[str, typer.Argument(help="The recipe's name.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="PARAM=VALUE", help="Its parameters, like limit=3.")
    ] = None,
    *,
    user_id: Annotated[str | None, typer.Option(help="Whom it is about.")] = None,
    anonymous_id: Annotated[str | None, typer.Option(help="The same, or beside it, for when that is unknown.")] = None,
    group_id: Annotated[str | None, typer.Option(help="The account that it is about.")] = None,
    external_id: Annotated[str | None, typer.Option(help="An id of another type, like android_idfa:abc.")] = None,
    as_json: AsJson = False,
    with_sandbox: WithSandbox = False,
    sandbox_url: SandboxUrl = None,
) -> None:
    """Run one recipe about a visitor: show its answer, where each thing that it needs came from, and how long it took.

    Like `GET /api/{name}` with an API key, without a service: `timeout_ms=300` waits only so long. Exits with 1 if the
    recipe fails; what is said of that goes to standard error.
    """
    from personalize.cli import trying

    about = {"user_id": user_id, "anonymous_id": anonymous_id, "group_id": group_id, "external_id": external_id}
    trying.run(name, about, arguments or [], _asked_instead(sandbox_url, with_sandbox=with_sandbox), as_json=as_json)


def sync_init(file: Mappings = Path("mappings.toml")) -> None:
    """Write a file of mappings to begin with, in which everything is explained."""
    from personalize.cli import syncing

    syncing.init(file)


def sync_check(file: Mappings) -> None:
    """Look at a file of mappings, and say all that is wrong with it, each with its line."""
    from personalize.cli import syncing

    syncing.check(file)


def sync_run(
    file: Mappings,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print calls instead of sending them.")] = False,
    limit: Annotated[int | None, typer.Option(help="Rows of each model that are read at most.", min=1)] = None,
    state: Annotated[
        Path | None, typer.Option(help="What was sent before; else beside the mappings, as .state.", dir_okay=False)
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="Rows that cannot be sent; else beside the mappings, as .rejects.jsonl.")
    ] = None,
    rate: Annotated[float, typer.Option(help="Calls a second that are sent at most; 0 is no limit.", min=0)] = 1000,
    with_sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Send to the sandbox on this machine, whatever the settings say.")
    ] = False,
) -> None:
    """Send what is new or changed in the rows since the last run.

    It may be ended at any time: the next run goes on where it was. Exits with 0 when all is sent, with 3 when rows were
    rejected, and with 1 when it had to stop.
    """
    from personalize.cli import syncing

    syncing.run(file, dry_run=dry_run, limit=limit, state=state, rejects=rejects, rate=rate, with_sandbox=with_sandbox)


def _asked_instead(url: str | None, *, with_sandbox: bool) -> str | None:
    """Return where the sandbox is that is asked instead of Segment, if one is."""
    return url or (DEFAULT_URL if with_sandbox else None)


@contextmanager
def _loading() -> Iterator[None]:
    """Collect no garbage meanwhile, and none of what came: it stays, and Python would go through it again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
