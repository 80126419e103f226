"""Who is asking for help, and what they were doing: for a support desk."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Annotated

from personalize import (
    AllTraits,
    Event,
    Events,
    ExternalId,
    ExternalIds,
    Link,
    Links,
    Metadata,
    ProfileMetadata,
    recipe,
)


@dataclass(frozen=True)
class Deed:
    """What a customer did, and when."""

    event: str
    timestamp: datetime


@dataclass(frozen=True)
class Context:
    """What is known of a customer; what is not is empty."""

    segment_id: str | None
    customer_since: datetime | None
    ids: list[str]
    traits: Mapping[str, object]
    accounts: list[str]
    last_events: list[Deed]


@recipe("customer-context", access="server")
def customer_context(
    metadata: Annotated[ProfileMetadata | None, Metadata()] = None,
    ids: Annotated[tuple[ExternalId, ...], ExternalIds()] = (),
    traits: Annotated[Mapping[str, object], AllTraits()] = MappingProxyType({}),
    links: Annotated[tuple[Link, ...], Links()] = (),
    events: Annotated[tuple[Event, ...], Events(limit=10)] = (),
) -> Context:
    """Return who the customer is, what is known of them, and what they did last."""
    return Context(
        segment_id=metadata.segment_id if metadata else None,
        customer_since=metadata.created_at if metadata else None,
        ids=[str(one) for one in ids],
        traits=traits,
        accounts=[str(one) for link in links for one in link.external_ids],
        last_events=[Deed(event.name, event.timestamp) for event in events],
    )
