"""Durations as people write them: a number and its unit."""

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)


def seconds(text: str) -> float:
    """Return a duration in seconds; raise `ValueError` for a text that is none."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("write a duration with its unit, like 800ms, 300s, 5m or 24h")
    return float(match[1]) * _SECONDS[match[2]]
