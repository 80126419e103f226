"""Where an answer comes from, as a table in the terminal."""

from rich.table import Table

from personalize.cli import terminal
from personalize.engine import Outcome
from personalize.engine.origins import Origin

HEADS = ("parameter", "need", "from", "age", "took")
SHOWN = {"profile_api": "Profile API", "redis": "Redis"}


def sentence(outcome: Outcome) -> str:
    """Return what an outcome says of itself, in a line."""
    told = {"personalized": outcome.personalized, "degraded": outcome.degraded}
    yes_or_no = [f"{name}: {'yes' if value else 'no'}" for name, value in told.items()]
    return ", ".join([*yes_or_no, f"provenance: {outcome.provenance}"])


def table(outcome: Outcome, read: list[Origin]) -> Table:
    """Return the origins as a table, and last how long the recipe itself took."""
    rows = [(one.parameter, one.need, SHOWN.get(one.source, one.source), _age(one), _took(one.seconds)) for one in read]
    return terminal.table(None, HEADS, [*rows, ("", "the recipe itself", "", "", _took(outcome.seconds))])


def _age(one: Origin) -> str:
    if one.items is not None:
        return f"{one.items} items"
    if one.ttl is None:
        return ""
    return f"fresh for {one.ttl:.0f} s" if one.ttl > 0 else f"stale for {-one.ttl:.0f} s"


def _took(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.1f} ms"
