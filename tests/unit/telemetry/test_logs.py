"""Log events: where they go, what they look like, and what they never say."""

import ast
import inspect
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType

import pytest
import structlog
from structlog.testing import capture_logs

from personalize.telemetry import libraries, logs
from personalize.telemetry.logs import LogFormat

CANARY = "canary@example.com"
SOURCES = Path(logs.__file__).parents[1]
EVENTS = {
    name: function
    for name, function in vars(logs).items()
    if isinstance(function, FunctionType) and function.__module__ == logs.__name__ and not name.startswith("_")
    if name not in {"configure", "tell_anew", "summarise"}
}


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    """Leave logging as it was found."""
    handlers = [*logging.getLogger().handlers]
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers


def raised(error: Exception) -> Exception:
    """Return an exception with the traceback of having been raised here."""
    try:
        raise error
    except type(error) as caught:
        return caught


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_events_go_to_standard_error(log_format: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output belongs to commands; an event is one line."""
    logs.configure(log_format)
    logs.service_started(3)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "service_started" in err


def test_json_lines_are_for_collectors(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line is one object with the event, its level, the time in UTC, and the event's values."""
    logs.configure("json")
    logs.provider_failed("posts", "https://blog.example answered 503")
    line = json.loads(capsys.readouterr().err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "provider_failed",
        "level": "warning",
        "provider": "posts",
        "reason": "https://blog.example answered 503",
    }


def told(event: Callable[[], None]) -> dict[str, object]:
    """Return what one event says."""
    with capture_logs() as events:
        event()
    [said] = events
    return dict(said)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (lambda: logs.service_started(2), {"log_level": "info", "recipes": 2}),
        (logs.service_stopped, {"log_level": "info"}),
        (
            lambda: logs.recipe_failed("r", "r.py:3", "overran"),
            {"log_level": "error", "recipe": "r", "declared": "r.py:3", "reason": "overran"},
        ),
        (
            lambda: logs.profile_read_failed("traits", ValueError("The Profile API answered 503.")),
            {"log_level": "warning", "section": "traits", "reason": "The Profile API answered 503."},
        ),
        (
            lambda: logs.redis_away("read", ConnectionError(CANARY)),
            {"log_level": "warning", "operation": "read", "error": "ConnectionError"},
        ),
        (logs.redis_back, {"log_level": "info"}),
        (lambda: logs.cached_value_unreadable("events"), {"log_level": "warning", "section": "events"}),
        (
            lambda: logs.provider_loaded("posts", 7, 2),
            {"log_level": "info", "provider": "posts", "items": 7, "left_out": 2},
        ),
        (
            lambda: logs.provider_failed("posts", "does not exist"),
            {"log_level": "warning", "provider": "posts", "reason": "does not exist"},
        ),
        (
            lambda: logs.provider_missing("posts", "PERSONALIZE_POSTS_URL"),
            {"log_level": "warning", "provider": "posts", "setting": "PERSONALIZE_POSTS_URL"},
        ),
        (
            lambda: logs.person_erased(2, "shop", "r-1"),
            {"log_level": "info", "ids": 2, "by": "shop", "request_id": "r-1"},
        ),
        (
            lambda: logs.person_not_erased(1, "segment", "r-1"),
            {"log_level": "warning", "ids": 1, "by": "segment", "request_id": "r-1"},
        ),
        (logs.webhook_refused, {"log_level": "warning", "setting": "PERSONALIZE_WEBHOOK_SECRET"}),
        (logs.webhook_busy, {"log_level": "warning"}),
        (logs.webhook_change_lost, {"log_level": "warning"}),
        (logs.hash_key_derived, {"log_level": "warning", "setting": "PERSONALIZE_HASH_KEY"}),
    ],
)
def test_an_event_says_what_happened(event: Callable[[], None], said: dict[str, object]) -> None:
    """Each event has its level and its values, and no others."""
    assert {name: value for name, value in told(event).items() if name != "event"} == said


@pytest.mark.parametrize(
    "event",
    [
        lambda error: logs.answer_failed("/api/recommended-posts", error),
        logs.lane_failed,
        lambda error: logs.recipe_failed("recommended-posts", "r.py:3", "raised", error),
        lambda error: logs.profile_read_broke("traits", error),
        logs.webhook_broke,
    ],
)
def test_a_foreign_exception_is_told_by_type_and_place(event: Callable[[Exception], None]) -> None:
    """Its message may quote a visitor's id; where it was raised is what mends it."""
    said = told(lambda: event(raised(LookupError(CANARY))))
    assert said["error"] == "LookupError"
    assert f"{Path(__file__).name}:" in str(said["where"])
    assert str(said["where"]).endswith("raised")
    assert CANARY not in str(said)


def test_a_deep_traceback_is_told_from_its_innermost_frames() -> None:
    """Five places, the innermost first, whatever called them."""

    def down(levels: int) -> None:
        if levels == 0:
            raise LookupError(CANARY)
        down(levels - 1)

    def fall() -> None:
        try:
            down(20)
        except LookupError as error:
            logs.answer_failed("/livez", error)

    places = str(told(fall)["where"]).split(" < ")
    assert [place.rpartition(" ")[2] for place in places] == ["down"] * 5
    innermost, *others = [int(place.rpartition(":")[2].split()[0]) for place in places]
    assert all(innermost < other for other in others)


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_every_event_is_explained(name: str) -> None:
    """The functions are the catalogue of events: each has a sentence that says what it means."""
    assert inspect.getdoc(EVENTS[name])


def test_every_event_happens_somewhere() -> None:
    """A catalogue with events that nothing logs would mislead whoever writes an alert."""
    nodes = (node for file in SOURCES.rglob("*.py") for node in ast.walk(ast.parse(file.read_bytes())))
    used = {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}
    assert {f"logs.{name}" for name in EVENTS} - used == set()


@pytest.mark.parametrize(
    "event",
    [
        lambda: logs.profile_read_failed("traits", ValueError("no luck")),
        lambda: logs.cached_value_unreadable("traits"),
        lambda: logs.redis_away("read", ConnectionError()),
        logs.redis_back,
        logs.webhook_refused,
        logs.webhook_busy,
        logs.webhook_change_lost,
    ],
)
def test_what_happens_again_and_again_is_told_once_in_a_while(event: Callable[[], None]) -> None:
    """An outage is not a line a request; how often it was is told with the next one."""
    with capture_logs() as told:
        for _ in range(600):
            event()
    assert len(told) == 1
    logs.tell_anew()
    with capture_logs() as told:
        event()
    assert len(told) == 1


def test_what_libraries_log_is_told_without_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, and not again and again: logger, severity, place and the exception's type."""
    logs.configure("json")
    libraries.listen()
    libraries.listen()
    for _ in range(3):
        logging.getLogger("a.library").error("about %s", CANARY, exc_info=raised(LookupError(CANARY)))
    said = capsys.readouterr().err
    assert CANARY not in said
    line = json.loads(said)
    assert (line["event"], line["logger"], line["severity"]) == ("library_said", "a.library", "error")
    assert line["error"] == "LookupError"
    assert f"{Path(__file__).name}:" in line["logged"]
