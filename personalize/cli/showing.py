"""How a look at a profile is shown: as tables for a person, as JSON for other programs."""

from collections.abc import Iterable, Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from personalize.cli import terminal
from personalize.cli.look import Known
from personalize.profile_api.wire import ExternalIdTold


def json(known: Known) -> str:
    """Return a look as JSON, without what was not asked for; `truncated` says whether a list was cut."""
    members = {name: value for name, value in msgspec.to_builtins(known).items() if value is not None}
    del members["cut"]
    return terminal.json({**members, "truncated": bool(known.cut)})


def show(known: Known, console: Console) -> None:
    """Print a look as tables."""
    console.print(_facts(known))
    for name, title, heads, rows in _lists(known):
        console.print(terminal.table(title, heads, rows))
        if name in known.cut:
            console.print("(more were not read)", style="dim")


def _lists(known: Known) -> Iterable[tuple[str, str, Sequence[str], Iterable[Sequence[str]]]]:
    """Yield what there is of each list that was asked for: its name, title, heads and rows."""
    yield "external_ids", "External ids", ("type", "id", "since"), (_id_row(one) for one in known.external_ids)
    traits = (
        (name, _value(one.value), one.source_id or "", one.updated_at or "") for name, one in known.traits.items()
    )
    yield "traits", "Traits", ("trait", "value", "source", "changed"), traits
    if known.events is not None:
        happened = ((one.timestamp.isoformat(), one.name, _value(one.properties)) for one in known.events)
        yield "events", "Events", ("time", "event", "properties"), happened
    if known.links is not None:
        linked = ((one.to_collection, f"{id_.type}:{id_.id}") for one in known.links for id_ in one.external_ids)
        yield "links", "Links", ("collection", "id"), linked


def _facts(known: Known) -> Table:
    facts = {"segment id": known.segment_id, "created": known.metadata.created_at, "updated": known.metadata.updated_at}
    return terminal.table("Profile", ("", ""), [(name, value or "unknown") for name, value in facts.items()])


def _id_row(one: ExternalIdTold) -> tuple[str, str, str]:
    return one.type, one.id, one.created_at or ""


def _value(value: object) -> str:
    return msgspec.json.encode(value).decode()
