"""`personalize profile`: what Segment knows of one profile, at a glance."""

import asyncio
from dataclasses import replace

import typer
from prometheus_client import CollectorRegistry
from rich.console import Console

from personalize import settings
from personalize.app.ids import id_rules
from personalize.app.profiles import access_token, profile_client
from personalize.cli import showing, terminal
from personalize.cli.demonstration import in_segments_place
from personalize.cli.look import Look
from personalize.errors import BadParameter, ProfileApiError, ProfileNotFound
from personalize.model import Collection, ExternalId
from personalize.telemetry.metrics import Metrics
from personalize.trust.ids import IdRules

NOT_FOUND = 1
FAILED = 3

SEGMENT_ID = "segment_id"
"""The type of the ids that Segment itself gives (`use_…`): good for a look, but nothing that a page could ask by."""


def inspect(
    external_id: str, collection: Collection, sandbox_url: str | None, *, events: bool, links: bool, as_json: bool
) -> None:
    """Print what is known of a profile.

    Args:
        external_id: an id type and a value.
        collection: a user's or an account's.
        sandbox_url: where the sandbox is, if it is read instead of Segment.
        events: also the newest events.
        links: also what it is linked to.
        as_json: prints JSON.
    """
    loaded = settings.load(forced=in_segments_place(sandbox_url) if sandbox_url else None)
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
