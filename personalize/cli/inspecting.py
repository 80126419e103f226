"""`personalize profile`: what Segment knows of one profile, at a glance."""

import asyncio
from dataclasses import replace
from typing import Annotated

import typer
from prometheus_client import CollectorRegistry
from rich.console import Console

from personalize import sandbox, settings
from personalize.app import access_token, id_rules, profile_client
from personalize.cli import showing, terminal
from personalize.cli.look import Look
from personalize.cli.serving import sandbox_settings
from personalize.errors import BadParameter, ProfileApiError, ProfileNotFound
from personalize.model import Collection, ExternalId
from personalize.telemetry.metrics import Metrics
from personalize.trust.ids import IdRules

NOT_FOUND = 1
FAILED = 3

SEGMENT_ID = "segment_id"
"""The type of the ids that Segment itself gives (`use_…`): good for a look, but nothing that a page could ask by."""


def profile(
    external_id: Annotated[str, typer.Argument(help="An id type and a value, like user_id:ada.")],
    *,
    collection: Annotated[Collection, typer.Option(help="Whose profile: a user's or an account's.")] = "users",
    events: Annotated[bool, typer.Option("--events", help="Also the newest events of the last 14 days.")] = False,
    links: Annotated[bool, typer.Option("--links", help="Also the accounts or users that it is linked to.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")] = False,
    with_sandbox: Annotated[
        bool, typer.Option("--sandbox", help=f"Ask the sandbox on {sandbox.DEFAULT_URL} instead of Segment.")
    ] = False,
    sandbox_url: Annotated[
        str | None, typer.Option(help="Ask a sandbox that listens elsewhere, like http://127.0.0.1:8101.")
    ] = None,
) -> None:
    """Show what Segment knows of a profile: ids, traits with their age, and more when asked.

    Exits with 1 if there is no such profile, with 3 if Segment could not be read.
    """
    stand_in = sandbox_url or (sandbox.DEFAULT_URL if with_sandbox else None)
    loaded = sandbox_settings(stand_in) if stand_in else settings.load()
    try:
        who = _asked(external_id, id_rules(loaded))
        look = Look(profile_client(loaded, access_token(loaded), Metrics(CollectorRegistry())), collection, who)
        known = asyncio.run(look.known(events=events, links=links))
    except BadParameter as error:
        raise typer.BadParameter(str(error)) from None
    except ProfileApiError as error:
        typer.echo(terminal.visible(_failure(error, collection)), err=True)
        raise typer.Exit(NOT_FOUND if isinstance(error, ProfileNotFound) else FAILED) from None
    typer.echo(showing.json(known)) if as_json else showing.show(known, Console())


def _asked(text: str, rules: IdRules) -> ExternalId:
    """Return whom a text names: by an id that the service takes, or by one of Segment's own."""
    if text.startswith(f"{SEGMENT_ID}:"):
        rules = replace(rules, types=rules.types | {SEGMENT_ID}, lowercase=False)
    return rules.parsed("external_id", text)


def _failure(error: ProfileApiError, collection: Collection) -> str:
    if not isinstance(error, ProfileNotFound):
        return str(error)
    told = f"The space has no such profile among its {collection}."
    return f"{told} (Request-Id {error.request_id})" if error.request_id else told
