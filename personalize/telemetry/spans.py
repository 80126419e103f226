"""Spans, the parts of a trace, and what makes them."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Literal, Protocol, TypeAlias

Fact: TypeAlias = str | int
Kind: TypeAlias = Literal["server", "internal", "client"]


class Span(Protocol):
    """A part of a trace, while it lasts."""

    def rename(self, name: str) -> None:
        """Give it the name that is known by now."""

    def note(self, **facts: Fact) -> None:
        """Add what is known by now."""


class Tracer(Protocol):
    """Makes spans and sends them somewhere; see `personalize.telemetry.otel`."""

    def span(
        self, name: str, kind: Kind, facts: Mapping[str, Fact], parent: str | None = None
    ) -> AbstractContextManager[Span]:
        """Return a span below the present one, or below that of a `traceparent`."""

    def traceparent(self) -> str | None:
        """Return the present span as a header (W3C Trace Context), if there is one."""

    def close(self) -> None:
        """Send what has not been sent yet."""
