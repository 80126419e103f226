"""Traces by OpenTelemetry's SDK, which is an extra."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from personalize.telemetry import logs
from personalize.telemetry.spans import Fact, Kind

EXPORT_SECONDS = 2.0
"""What sending a batch may take, also when the service stops."""

_KINDS: Mapping[Kind, SpanKind] = {
    "server": SpanKind.SERVER,
    "internal": SpanKind.INTERNAL,
    "client": SpanKind.CLIENT,
}
_CONTEXT = TraceContextTextMapPropagator()
_HEADER = "traceparent"


def collector(url: str) -> SpanExporter:
    """Return what sends spans to a collector; that it fails is told sparingly, and costs the traces alone."""
    silent = logging.getLogger("opentelemetry")  # which would write a line for each batch, and the URL
    silent.addHandler(logging.NullHandler())
    silent.propagate = False
    return _Told(OTLPSpanExporter(endpoint=url, timeout=EXPORT_SECONDS))


class OpenTelemetry:
    """Makes spans of OpenTelemetry.

    Args:
        exporter: where they go, in batches from a thread of their own.
        share: of the requests that come without a trace, how many begin one.
        version: of the service.
    """

    def __init__(self, exporter: SpanExporter, *, share: float, version: str) -> None:
        resource = Resource.create({"service.name": "personalize", "service.version": version})
        self._provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(share)))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("personalize", version)

    @contextmanager
    def span(self, name: str, kind: Kind, facts: Mapping[str, Fact], parent: str | None = None) -> Iterator["_Span"]:
        """Make a span; of an exception only its type is told, for its message may quote a value."""
        context = _CONTEXT.extract({_HEADER: parent}) if parent else None
        with self._tracer.start_as_current_span(
            name,
            context,
            _KINDS[kind],
            _named(facts),
            record_exception=False,
            set_status_on_exception=False,
        ) as one:
            try:
                yield _Span(one)
            except BaseException as error:
                one.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    def traceparent(self) -> str | None:
        """Return the present span as a header; never `tracestate`, in which callers write what they like."""
        told: dict[str, str] = {}
        _CONTEXT.inject(told)
        return told.get(_HEADER)

    def close(self) -> None:
        """Send what has not been sent yet."""
        self._provider.shutdown()


class _Span:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, **facts: Fact) -> None:
        self._span.set_attributes(_named(facts))


class _Told(SpanExporter):
    """An exporter whose failures are in the log."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans."""
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            logs.traces_lost()
        return result

    def shutdown(self) -> None:
        """Send no more."""
        self._exporter.shutdown()


_STANDARD = {
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
}
"""Names of OpenTelemetry's semantic conventions; all others are ours."""


def _named(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    return {_STANDARD.get(name, f"personalize.{name}"): value for name, value in facts.items()}
