"""Traces: one span a request, and below it one for each recipe, read of a profile and call of the Profile API.

Until `configure` is called there are none, and a span costs a call that does nothing. Spans carry names of ours and
words for how it went: no ids, no paths but templates, no queries, no messages of exceptions.
"""

from contextlib import AbstractContextManager
from typing import Self

from personalize.errors import ConfigurationError
from personalize.telemetry.spans import Fact, Kind, Span, Tracer


class _Nothing:
    """A span that is none."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def rename(self, name: str) -> None:
        """Do nothing."""

    def note(self, **facts: Fact) -> None:
        """Do nothing."""


_NOTHING = _Nothing()
_tracers: list[Tracer] = []
"""The one that is in use, if there is one: a process has one log, and one trace of what it does."""


def configure(url: str, *, share: float, version: str) -> None:
    """Send traces to an OpenTelemetry collector from now on.

    Args:
        url: where it takes OTLP over HTTP.
        share: of the requests that come without a trace, how many begin one, from 0 to 1.
        version: of the service.

    Raises:
        ConfigurationError: what that needs is not installed.
    """
    try:
        from personalize.telemetry import otel  # noqa: PLC0415 -- an extra
    except ImportError:
        raise ConfigurationError(
            "PERSONALIZE_TRACES_URL needs OpenTelemetry: install it with pip install 'personalize[otel]'."
        ) from None
    use(otel.OpenTelemetry(otel.collector(url), share=share, version=version))


def use(tracer: Tracer | None) -> None:
    """Trace by this from now on, or not at all."""
    while _tracers:
        _tracers.pop().close()
    if tracer is not None:
        _tracers.append(tracer)


def serving(traceparent: str | None) -> AbstractContextManager[Span]:
    """Return the span of a request that came with this header."""
    return _tracers[0].span("request", "server", {}, traceparent) if _tracers else _NOTHING


def span(name: str, kind: Kind = "internal", /, **facts: Fact) -> AbstractContextManager[Span]:
    """Return the span of a part of what is under way."""
    return _tracers[0].span(name, kind, facts) if _tracers else _NOTHING


def onward() -> dict[str, str]:
    """Return the headers by which who is called can go on with the trace."""
    told = _tracers[0].traceparent() if _tracers else None
    return {"traceparent": told} if told else {}
