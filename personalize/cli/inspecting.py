"""`personalize profile`: what Segment knows of one profile, at a glance."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
import typer
from prometheus_client import CollectorRegistry
from rich.console import Console
from rich.table import Table
from rich.text import Text

from personalize import sandbox, settings
from personalize.app import id_rules, profile_client
from personalize.cli.serving import sandbox_settings
from personalize.errors import BadParameter, ProfileApiError, ProfileNotFound, TimedOut
from personalize.model import Collection, Event, ExternalId
from personalize.profile_api.client import ProfileClient, turned
from personalize.profile_api.wire import ExternalIdTold, LinkTold, MetadataTold, TraitTold
from personalize.telemetry.metrics import Metrics

MAX_PAGES = 10
"""Pages of traits, ids or links that are shown: 2,000 traits are more than anybody reads."""

SECONDS = 10.0
"""What the whole look may take."""

NOT_FOUND = 1
FAILED = 3


@dataclass(frozen=True, slots=True)
class Known:
    """All that was asked for; what was not is `None`."""

    metadata: MetadataTold
    segment_id: str | None
    external_ids: list[ExternalIdTold]
    traits: Mapping[str, TraitTold]
    events: list[Event] | None
    links: list[LinkTold] | None


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
) -> None:
    """Show what Segment knows of a profile: ids, traits with their age, and more when asked.

    Exits with 1 if there is no such profile, with 3 if Segment could not be read.
    """
    loaded = sandbox_settings(sandbox.DEFAULT_URL) if with_sandbox else settings.load()
    try:
        who = id_rules(loaded).parsed("external_id", external_id)
        client = profile_client(loaded, Metrics(CollectorRegistry()))
        known = asyncio.run(_known(client, collection, who, events=events, links=links))
    except BadParameter as error:
        raise typer.BadParameter(str(error)) from None
    except ProfileApiError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(NOT_FOUND if isinstance(error, ProfileNotFound) else FAILED) from None
    typer.echo(_json(known)) if as_json else _show(known, Console())


async def _known(client: ProfileClient, collection: Collection, who: ExternalId, *, events: bool, links: bool) -> Known:
    """Return what the routes answer, one after the other: the first that fails says why for all."""
    try:
        async with asyncio.timeout(SECONDS):
            metadata = await client.metadata(collection, who)
            return Known(
                metadata=metadata.metadata,
                segment_id=metadata.segment_id,
                external_ids=await _external_ids(client, collection, who),
                traits=await _traits(client, collection, who),
                events=list((await client.events(collection, who)).events()) if events else None,
                links=await _links(client, collection, who) if links else None,
            )
    except TimeoutError:
        raise TimedOut(f"The Profile API did not answer within {SECONDS:g} s.") from None
    finally:
        await client.aclose()


async def _external_ids(client: ProfileClient, collection: Collection, who: ExternalId) -> list[ExternalIdTold]:
    pages = turned(lambda cursor: client.external_ids(collection, who, next_page=cursor), most=MAX_PAGES)
    return [one async for page in pages for one in page.data]


async def _traits(client: ProfileClient, collection: Collection, who: ExternalId) -> dict[str, TraitTold]:
    pages = turned(lambda cursor: client.traits(collection, who, verbose=True, next_page=cursor), most=MAX_PAGES)
    return {name: told async for page in pages for name, told in page.told().items()}


async def _links(client: ProfileClient, collection: Collection, who: ExternalId) -> list[LinkTold]:
    pages = turned(lambda cursor: client.links(collection, who, next_page=cursor), most=MAX_PAGES)
    return [one async for page in pages for one in page.data]


def _json(known: Known) -> str:
    given = {name: value for name, value in msgspec.to_builtins(known).items() if value is not None}
    return msgspec.json.format(msgspec.json.encode(given), indent=2).decode()


def _show(known: Known, console: Console) -> None:
    console.print(_facts(known))
    console.print(_table("External ids", ("type", "id", "since"), [_id_row(one) for one in known.external_ids]))
    traits = [
        (name, _value(one.value), one.source_id or "", one.updated_at or "") for name, one in known.traits.items()
    ]
    console.print(_table("Traits", ("trait", "value", "source", "changed"), traits))
    if known.events is not None:
        happened = [(one.timestamp.isoformat(), one.name, _value(one.properties)) for one in known.events]
        console.print(_table("Events", ("time", "event", "properties"), happened))
    if known.links is not None:
        linked = [(one.to_collection, f"{id_.type}:{id_.id}") for one in known.links for id_ in one.external_ids]
        console.print(_table("Links", ("collection", "id"), linked))


def _facts(known: Known) -> Table:
    facts = {"segment id": known.segment_id, "created": known.metadata.created_at, "updated": known.metadata.updated_at}
    return _table("Profile", ("", ""), [(name, value or "unknown") for name, value in facts.items()])


def _id_row(one: ExternalIdTold) -> tuple[str, str, str]:
    return one.type, one.id, one.created_at or ""


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left", show_header=any(heads), expand=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # as text: a value may look like rich's markup
    return table


def _value(value: object) -> str:
    return msgspec.json.encode(value).decode()
