"""Where an answer comes from: each thing that its recipe read, from which tier, how old, and how long it took."""

from collections.abc import Mapping, Sized
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from personalize.cli import signatures, terminal
from personalize.declare import Parameter
from personalize.engine import Outcome
from personalize.model import Reading
from personalize.needs import Items, Now, Param, section_of
from personalize.registry import AnyRecipe

HEADS = ("parameter", "need", "from", "age", "took")
SHOWN = {"profile_api": "Profile API", "redis": "Redis"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one parameter's value comes from.

    `source` is a tier, `provider`, `clock`, `request` or `default`; `ttl` the seconds for which it stays fresh (below
    zero: since when it is not), `items` how many a provider has, `seconds` how long the read took.
    """

    parameter: str
    need: str
    source: str
    ttl: float | None = None
    items: int | None = None
    seconds: float | None = None


def of(recipe: AnyRecipe, outcome: Outcome, params: Mapping[str, object], items: Mapping[str, object]) -> list[Origin]:
    """Return the origins of a recipe's parameters, in their order."""
    return [_origin(one, outcome, params, items) for one in recipe.parameters]


def members(outcome: Outcome, read: list[Origin]) -> dict[str, Any]:
    """Return an outcome and its origins for JSON."""
    return {
        "recipe": outcome.recipe,
        "personalized": outcome.personalized,
        "degraded": outcome.degraded,
        "provenance": outcome.provenance,
        "data": outcome.data,
        "needs": [{name: value for name, value in asdict(one).items() if value is not None} for one in read],
        "seconds": outcome.seconds,
    }


def sentence(outcome: Outcome) -> str:
    """Return what an outcome says of itself, in a line."""
    told = {"personalized": outcome.personalized, "degraded": outcome.degraded}
    yes_or_no = [f"{name}: {'yes' if value else 'no'}" for name, value in told.items()]
    return ", ".join([*yes_or_no, f"provenance: {outcome.provenance}"])


def table(outcome: Outcome, read: list[Origin]) -> Table:
    """Return the origins as a table, and last how long the recipe itself took."""
    rows = [(one.parameter, one.need, SHOWN.get(one.source, one.source), _age(one), _took(one.seconds)) for one in read]
    return terminal.table(None, HEADS, [*rows, ("", "the recipe itself", "", "", _took(outcome.seconds))])


def _origin(one: Parameter, outcome: Outcome, params: Mapping[str, object], items: Mapping[str, object]) -> Origin:
    if isinstance(one.need, Param):
        return Origin(one.name, signatures.need(one.need), "request" if one.name in params else "default")
    if isinstance(one.need, Now):
        return Origin(one.name, signatures.need(one.need), "clock")
    if isinstance(one.need, Items):
        there = items[one.need.provider]
        return Origin(
            one.name, signatures.need(one.need), "provider", items=len(there) if isinstance(there, Sized) else None
        )
    reading = outcome.readings.get(section_of(one.need), Reading("none", "gone"))
    ttl = None if reading.tier == "none" else reading.ttl
    return Origin(one.name, signatures.need(one.need), _tier(reading), ttl=ttl, seconds=reading.seconds)


def _tier(reading: Reading) -> str:
    return "default" if reading.tier == "none" else reading.tier


def _age(one: Origin) -> str:
    if one.items is not None:
        return f"{one.items} items"
    if one.ttl is None:
        return ""
    return f"fresh for {one.ttl:.0f} s" if one.ttl > 0 else f"stale for {-one.ttl:.0f} s"


def _took(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.1f} ms"
