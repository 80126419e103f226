"""Traces: what is below what, where they come from and go on to, and what they never say."""

import builtins
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from personalize.app.application import create_app
from personalize.errors import ConfigurationError
from personalize.telemetry import tracing
from personalize.telemetry.otel import OpenTelemetry, collector
from personalize.testing import API_KEY, RecordingProfileApi
from personalize.testing.services import client_of
from tests.conftest import free_port
from tests.doubles import TOKEN, UUID, settings_of

CANARY = "canary-never-traced"
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
RECORDED, UNRECORDED = f"00-{TRACE}-{CALLER}-01", f"00-{TRACE}-{CALLER}-00"
POSTS = "/api/recommended-posts"


class Bench:
    """A service whose spans a test reads."""

    def __init__(self, share: float) -> None:
        self.api = RecordingProfileApi({"user_id:ada": {"traits": {"favorite_blog_category": "tea"}}})
        self._kept = InMemorySpanExporter()
        self._share = share

    async def ask(self, *paths: str, headers: Mapping[str, str] | None = None) -> list[httpx.Response]:
        """Ask a new service one path after the other, and wait until its spans are sent."""
        tracing.use(OpenTelemetry(self._kept, share=self._share, version="1"))
        settings = settings_of(TRACES_URL="http://127.0.0.1:1/v1/traces", API_KEYS=f"web:{API_KEY}")
        async with client_of(create_app(settings, transport=self.api.transport), headers) as client:
            answers = [await client.get(path) for path in paths]
        tracing.use(None)
        return answers

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._kept.get_finished_spans()}

    def parent(self, name: str) -> str | None:
        """Return the name of the span that one is below."""
        parent = self.spans[name].parent
        names = {span.context.span_id: name for name, span in self.spans.items() if span.context is not None}
        return None if parent is None else names.get(parent.span_id, f"{parent.span_id:016x}")


@pytest.fixture(autouse=True)
def _off() -> Iterator[None]:
    """Leave tracing as it was found."""
    yield
    tracing.use(None)


@pytest.fixture
def bench() -> Bench:
    return Bench(1.0)


def facts(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def test_a_trace_goes_from_the_request_to_segment(bench: Bench) -> None:
    """Each span is below what caused it, and says how it went."""
    [answered] = await bench.ask(f"{POSTS}?user_id=ada")
    assert {name: bench.parent(name) for name in bench.spans} == {
        "GET /api/{recipe}": None,
        "recipe": "GET /api/{recipe}",
        "profile read": "GET /api/{recipe}",
        "GET profile": "profile read",
    }
    assert facts(bench.spans["GET /api/{recipe}"]) == {
        "http.request.method": "GET",
        "http.route": "/api/{recipe}",
        "http.response.status_code": 200,
        "personalize.outcome": "fresh",
        "personalize.request_id": answered.headers["X-Request-Id"],
    }
    assert facts(bench.spans["recipe"]) == {"personalize.recipe": "recommended-posts", "personalize.outcome": "fresh"}
    assert facts(bench.spans["profile read"]) == {"personalize.collection": "users", "personalize.sections": "traits"}
    assert facts(bench.spans["GET profile"]) == {"personalize.upstream": "traits"}


async def test_a_callers_trace_goes_on(bench: Bench) -> None:
    """To Segment, with our own span in the caller's place; what a caller writes in `tracestate` does not."""
    await bench.ask(f"{POSTS}?user_id=ada", headers={"traceparent": RECORDED, "tracestate": f"v={CANARY}"})
    assert bench.parent("GET /api/{recipe}") == CALLER
    [sent] = bench.api.requests
    span = bench.spans["GET profile"].context
    assert span is not None
    assert sent.headers["traceparent"] == f"00-{TRACE}-{span.span_id:016x}-01"
    assert CANARY not in str(sent.headers)


async def test_a_callers_trace_is_gone_on_with_for_warm_answers_too(bench: Bench) -> None:
    """They do not come by the short lane then."""
    await bench.ask(*[f"{POSTS}?user_id=ada"] * 4, headers={"traceparent": RECORDED})
    spans = bench._kept.get_finished_spans()
    assert [span.name for span in spans].count("GET /api/{recipe}") == 4


@pytest.mark.parametrize("headers", [{}, {"traceparent": UNRECORDED}, {"traceparent": CANARY}])
async def test_what_is_not_recorded_is_not_recorded(headers: dict[str, str]) -> None:
    """Neither what nobody chose, nor what its caller does not record."""
    bench = Bench(0.0)
    [answered] = await bench.ask(f"{POSTS}?user_id=ada", headers=headers)
    assert answered.status_code == 200
    assert bench.spans == {}


async def test_nothing_of_a_visitor_is_in_a_span(bench: Bench) -> None:
    """Neither ids nor queries, keys or tokens, nor what an exception says."""
    bench.api.failure = httpx.ConnectError(CANARY)
    await bench.ask(
        f"{POSTS}?user_id={CANARY}&anonymous_id={UUID}",
        f"{POSTS}?{CANARY}={CANARY}",
        f"/{CANARY}",
        f"/api/{CANARY}?user_id={CANARY}",
        headers={"Authorization": f"Bearer {API_KEY}"},
    )
    told = "".join(span.to_json() for span in bench.spans.values())
    assert "Unreachable" in told
    assert not [secret for secret in (CANARY, UUID, API_KEY, TOKEN) if secret in told]


def test_an_exception_is_told_by_its_type() -> None:
    """Its message may quote a visitor's id."""
    kept = InMemorySpanExporter()
    tracing.use(OpenTelemetry(kept, share=1.0, version="1"))
    with pytest.raises(LookupError), tracing.span("recipe"):
        raise LookupError(CANARY)
    tracing.use(None)
    [span] = kept.get_finished_spans()
    assert (span.status.description, span.events) == ("LookupError", ())


async def test_without_a_tracer_nothing_is_sent_on(bench: Bench) -> None:
    """A caller's header is not passed to Segment by who does not trace."""
    settings = settings_of()
    async with client_of(create_app(settings, transport=bench.api.transport)) as client:
        await client.get(f"{POSTS}?user_id=ada", headers={"traceparent": RECORDED})
    [sent] = bench.api.requests
    assert "traceparent" not in sent.headers


def test_without_a_tracer_a_span_is_always_the_same_nothing() -> None:
    """Which costs next to nothing."""
    with tracing.serving(RECORDED) as one, tracing.span("recipe", recipe="r") as other:
        one.rename("GET /")
        one.note(status=200)
    assert one is other


def test_a_collector_that_is_away_is_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    """Without its address, and not for each batch."""
    exporter: SpanExporter = collector(f"http://{CANARY}@127.0.0.1:{free_port()}/v1/traces")
    with capture_logs() as told:
        for _ in range(2):
            assert exporter.export([]) is SpanExportResult.FAILURE
        exporter.shutdown()
    assert [one["event"] for one in told] == ["traces_lost"]
    assert CANARY not in f"{told}{capfd.readouterr()}"


def test_traces_without_what_they_need_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    real = builtins.__import__

    def without(name: str, *rest: Any) -> ModuleType:
        if name == "personalize.telemetry" and "otel" in (rest[2] or ()):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match=r"pip install 'personalize\[otel\]'"):
        tracing.configure("http://127.0.0.1:1/v1/traces", share=1.0, version="1")


def test_configured_traces_are_sent_to_the_collector() -> None:
    """By OpenTelemetry, from then on."""
    tracing.configure(f"http://127.0.0.1:{free_port()}/v1/traces", share=1.0, version="1")
    with tracing.span("recipe"):
        assert tracing.onward()["traceparent"].startswith("00-")
