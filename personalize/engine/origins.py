"""Where an answer comes from: each thing that its recipe read, from which tier, how old, and how long it took."""

from collections.abc import Mapping, Sized
from dataclasses import asdict, dataclass
from typing import Any

from personalize.declare import Parameter, signatures
from personalize.engine.engine import Outcome
from personalize.model import Reading
from personalize.needs import Items, Now, Param, section_of
from personalize.registry import AnyRecipe


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one parameter's value comes from.

    `source` is a tier, `provider`, `clock`, `request` or `default`; `ttl` the seconds for which it stays fresh (below
    zero: since when it is not), `age` those since it was read, `items` how many a provider has, `seconds` how long the
    read took.
    """

    parameter: str
    need: str
    source: str
    ttl: float | None = None
    age: float | None = None
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


def _origin(one: Parameter, outcome: Outcome, params: Mapping[str, object], items: Mapping[str, object]) -> Origin:
    if isinstance(one.need, Param):
        return Origin(one.name, signatures.need(one.need), "request" if one.name in params else "default")
    if isinstance(one.need, Now):
        return Origin(one.name, signatures.need(one.need), "clock")
    if isinstance(one.need, Items):
        there = items.get(one.need.provider)
        return Origin(
            one.name, signatures.need(one.need), "provider", items=len(there) if isinstance(there, Sized) else None
        )
    reading = outcome.readings.get(section_of(one.need), Reading("none", "gone"))
    ttl, age = (None, None) if reading.tier == "none" else (reading.ttl, reading.age)
    return Origin(one.name, signatures.need(one.need), _tier(reading), ttl=ttl, age=age, seconds=reading.seconds)


def _tier(reading: Reading) -> str:
    return "default" if reading.tier == "none" else reading.tier
