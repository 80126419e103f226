"""Where an answer came from and how long that took, as headers for our own servers."""

from personalize.engine import Outcome
from personalize.model import Reading, SectionName


def headers(*outcomes: Outcome) -> dict[str, str]:
    """Return `Cache-Status` (RFC 9211), one member a section, and `Server-Timing` (W3C), in milliseconds.

    The recipes of a page share its sections; their own times are added up, for they run one after the other.
    """
    readings = {name: reading for outcome in outcomes for name, reading in outcome.readings.items()}
    timings = [f"{name};dur={reading.seconds * 1000:.1f}" for name, reading in readings.items()]
    seconds = sum(outcome.seconds for outcome in outcomes)
    told = {"Server-Timing": ", ".join([*timings, f"recipe;dur={seconds * 1000:.1f}"])}
    if readings:
        told["Cache-Status"] = ", ".join(_member(name, reading) for name, reading in readings.items())
    return told


def _member(name: SectionName, reading: Reading) -> str:
    """Return how one section was found: a hit names its tier, a miss why the Profile API was asked."""
    parts = [f"personalize-{name}"]
    if reading.standing in {"fresh", "stale"}:
        parts.append("hit")
    else:
        parts.append("fwd=miss" if reading.standing == "gone" else "fwd=stale")
    if reading.coalesced:
        parts.append("collapsed")
    if reading.tier != "none":
        parts.append(f"ttl={int(reading.ttl)}")
    return "; ".join([*parts, f"detail={reading.tier}"])
