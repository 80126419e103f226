"""What a visitor did lately, for whoever is about to speak with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from personalize import Event, Events, Param, recipe


@dataclass(frozen=True)
class Entry:
    """One thing that happened."""

    event: str
    timestamp: datetime
    properties: Mapping[str, object]


@recipe("event-timeline", access="server")
def event_timeline(
    events: Annotated[tuple[Event, ...], Events()] = (),
    limit: Annotated[int, Param(ge=1, le=100)] = 50,
) -> list[Entry]:
    """Return the events of the last 14 days, newest first."""
    return [Entry(one.name, one.timestamp, one.properties) for one in events[:limit]]
