"""Every log event, one function each.

No event carries an id, a token or a body. Of a foreign exception only type and place are told: its message may quote a
value.
"""

import logging
import math
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Literal

import structlog

LogFormat = Literal["console", "json"]

_log = structlog.get_logger("personalize")


def configure(log_format: LogFormat) -> None:
    """Write events to standard error: readable lines for a person, or one JSON object a line for a collector."""
    tell_anew()
    renderer = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),  # whatever that is when an event is written
    )


REPEAT_SECONDS = 10.0
"""For how long what has been told is only counted when it happens again: an outage is not a line a request."""

MAX_TOLD = 1000

LINES_ALIKE = 100
"""Lines about answers alike that are told in that time: who looks for one may need more than the first."""

_told: dict[tuple[str, str], tuple[float, int, int]] = {}
"""Of an event: since when, how many lines, and how often it was only counted."""


def tell_anew() -> None:
    """Forget what has been told already: what happens from now on is news."""
    _told.clear()


def _sparingly(event: str, what: str, lines: int = 1) -> dict[str, int] | None:
    """Return what a repeated event adds to its line, or `None` once it has had its lines and is only counted."""
    now = time.monotonic()
    since, told, held = _told.get((event, what), (-math.inf, 0, 0))
    if now - since < REPEAT_SECONDS:
        _told[event, what] = (since, told + 1, held) if told < lines else (since, told, held + 1)
        return {} if told < lines else None
    if len(_told) >= MAX_TOLD:
        _told.clear()
    _told[event, what] = now, 1, 0
    return {"repeated": held} if held else {}


def summarise() -> None:
    """Tell how often what has been told long enough ago has happened since."""
    now = time.monotonic()
    over = [one for one, (since, _, _) in _told.items() if now - since >= REPEAT_SECONDS]
    for event, what in over:
        _, _, held = _told.pop((event, what))
        if held:
            _log.warning("event_repeated", of=event, what=what, count=held)


def service_started(recipes: int) -> None:
    """The service answers requests."""
    _log.info("service_started", recipes=recipes)


def service_stopped() -> None:
    """The service has closed what it had opened."""
    _log.info("service_stopped")


def edit_served() -> None:
    """Edited recipes are loaded, and answer from now on."""
    _log.info("edit_served")


def module_kept(module: str) -> None:
    """Recipes were to be loaded again; those of a module need a restart, for Python imports it once."""
    _log.warning("module_kept", module=module)


def edit_refused(reason: str) -> None:
    """Edited recipes cannot be loaded; the last good ones go on serving."""
    _log.error("edit_refused", reason=reason)


def edit_broke(error: BaseException) -> None:
    """What edited recipes ask for cannot be opened; the last good ones go on serving."""
    _log.error("edit_broke", **_described(error))


def worker_replaced(status: int) -> None:
    """A worker had died or did not answer any more (negative: the signal that ended it): a new one takes its place."""
    more = _sparingly("worker_replaced", str(status))
    if more is not None:
        _log.error("worker_replaced", status=status, **more)


def recipe_failed(recipe: str, where: str, reason: str, error: BaseException | None = None) -> None:
    """A recipe raised, overran or returned something else than it declared; its default was answered if it has one."""
    more = _sparingly("recipe_failed", f"{recipe} {reason}")
    if more is not None:
        _log.error("recipe_failed", recipe=recipe, declared=where, reason=reason, **_described(error), **more)


def profile_read_failed(section: str, error: Exception) -> None:
    """A read of the Profile API failed; visitors got what was last known, or default content."""
    more = _sparingly("profile_read_failed", f"{section} {type(error).__name__}")
    if more is not None:
        _log.warning("profile_read_failed", section=section, reason=str(error), **more)


def profile_read_broke(section: str, error: BaseException) -> None:
    """A read of the Profile API ended in an unexpected exception: a defect of the service."""
    more = _sparingly("profile_read_broke", f"{section} {type(error).__name__}")
    if more is not None:
        _log.error("profile_read_broke", section=section, **_described(error), **more)


def breaker_opened() -> None:
    """The Profile API kept failing: it is only probed from now on."""
    _log.warning("breaker_opened")


def breaker_closed() -> None:
    """The Profile API has answered a probe: it is read again."""
    _log.info("breaker_closed")


def access_token_rejected() -> None:
    """Segment refused the access token: it is only tried now and then, until one is accepted."""
    _log.error("access_token_rejected", setting="PERSONALIZE_ACCESS_TOKEN")


def access_token_accepted() -> None:
    """Segment accepts the access token again, or a new one."""
    _log.info("access_token_accepted")


def profile_api_paused(seconds: float) -> None:
    """The space's rate limit is spent: the whole fleet pauses."""
    _log.warning("profile_api_paused", seconds=round(seconds, 3))


def request_refused(status: int) -> None:
    """A connection sent more than it may, or took longer, and was closed."""
    more = _sparingly("request_refused", str(status))
    if more is not None:
        _log.warning("request_refused", status=status, **more)


def cache_write_broke(error: BaseException) -> None:
    """A tier could not take a section for an unexpected exception: a defect of the service."""
    more = _sparingly("cache_write_broke", type(error).__name__)
    if more is not None:
        _log.error("cache_write_broke", **_described(error), **more)


def redis_away(operation: str, error: Exception) -> None:
    """Too many Redis operations in a row failed: for a second at a time everything goes on without it."""
    more = _sparingly("redis_away", "")
    if more is not None:
        _log.warning("redis_away", operation=operation, error=type(error).__name__, **more)


def redis_back() -> None:
    """Redis answers again."""
    more = _sparingly("redis_back", "")
    if more is not None:
        _log.info("redis_back", **more)


def invalidations_unheard(error: Exception) -> None:
    """What other replicas forget is not heard any more: what is in process is compared with Redis again and again."""
    _log.warning("invalidations_unheard", error=type(error).__name__)


def invalidations_heard() -> None:
    """What other replicas forget is heard again."""
    _log.info("invalidations_heard")


def person_erased(ids: int, by: str, request_id: str) -> None:
    """A person was erased on the order of one of our servers, by its key's name, or of Segment: an audit line."""
    _log.info("person_erased", ids=ids, by=by, request_id=request_id)


def person_not_erased(ids: int, by: str, request_id: str) -> None:
    """A person could not be erased everywhere; whoever ordered it was told to try again."""
    _log.warning("person_not_erased", ids=ids, by=by, request_id=request_id)


def webhook_refused() -> None:
    """A call of the webhook was not signed with the secret: somebody else's, or the secrets differ."""
    more = _sparingly("webhook_refused", "")
    if more is not None:
        _log.warning("webhook_refused", setting="PERSONALIZE_WEBHOOK_SECRET", **more)


def webhook_busy() -> None:
    """Too many pushed changes wait: Segment was told to send them again."""
    more = _sparingly("webhook_busy", "")
    if more is not None:
        _log.warning("webhook_busy", **more)


def webhook_change_lost() -> None:
    """Redis did not take a pushed change, however often: what is cached is as old as its age says."""
    more = _sparingly("webhook_change_lost", "")
    if more is not None:
        _log.warning("webhook_change_lost", **more)


def webhook_broke(error: BaseException) -> None:
    """A pushed call could not be worked off for an unexpected exception: a defect of the service."""
    _log.error("webhook_broke", **_described(error))


def cached_value_unreadable(section: str) -> None:
    """A value in Redis does not decode: it counts as absent."""
    more = _sparingly("cached_value_unreadable", section)
    if more is not None:
        _log.warning("cached_value_unreadable", section=section, **more)


def provider_loaded(provider: str, items: int, left_out: int) -> None:
    """A provider's items changed."""
    _log.info("provider_loaded", provider=provider, items=items, left_out=left_out)


def provider_failed(provider: str, reason: str) -> None:
    """A provider could not be loaded; its last good items stay."""
    _log.warning("provider_failed", provider=provider, reason=reason)


def provider_missing(provider: str, setting: str) -> None:
    """Recipes ask for a provider that no setting configures: they get no items."""
    _log.warning("provider_missing", provider=provider, setting=setting)


def hash_key_derived() -> None:
    """Ids in Redis are hashed with a key that whoever knows the space id can derive."""
    _log.warning("hash_key_derived", setting="PERSONALIZE_HASH_KEY")


def exposures_lost(reason: str) -> None:
    """What visitors were recommended could not be written back to Segment."""
    more = _sparingly("exposures_lost", "")
    if more is not None:
        _log.warning("exposures_lost", reason=reason, **more)


def traces_lost() -> None:
    """The collector did not take spans: they are lost, and nothing else is."""
    more = _sparingly("traces_lost", "")
    if more is not None:
        _log.warning("traces_lost", setting="PERSONALIZE_TRACES_URL", **more)


def call_dropped(route: str, reason: str) -> None:
    """The sandbox answered a Tracking call with success and left it out, as Segment does with what is not valid."""
    _log.warning("call_dropped", route=route, reason=reason)


def request_answered(
    method: str,
    route: str,
    status: int,
    *,
    request_id: str,
    milliseconds: float,
    known: Mapping[str, str | None],
    sparingly: bool,
) -> None:
    """A request was answered: the template of its route, its visitor as a keyed hash, never what it asked."""
    more = _sparingly("request_answered", f"{route} {status} {known['outcome']}", LINES_ALIKE) if sparingly else {}
    if more is not None:
        told = {name: value for name, value in known.items() if value is not None}
        facts = {"method": method, "route": route, "status": status, "milliseconds": milliseconds}
        _log.info("request_answered", request_id=request_id, **facts, **told, **more)


def library_said(logger: str, severity: str, logged: str, error: BaseException | None = None) -> None:
    """A library, or a recipe, logged something by Python's `logging`: its place, never its message, which may quote."""
    more = _sparingly("library_said", f"{logger} {logged}")
    if more is not None:
        facts = {"logger": logger, "severity": severity.lower(), "logged": logged, **_described(error)}
        _log.warning("library_said", **facts, **more)


def answer_failed(request_id: str, error: BaseException) -> None:
    """A request ended in an unexpected exception: a defect of the service."""
    more = _sparingly("answer_failed", type(error).__name__)
    if more is not None:
        _log.error("answer_failed", request_id=request_id, **_described(error), **more)


def lane_failed(error: BaseException) -> None:
    """The short lane ended in an unexpected exception: a defect of the service; the request went the whole way."""
    more = _sparingly("lane_failed", type(error).__name__)
    if more is not None:
        _log.error("lane_failed", **_described(error), **more)


def _described(error: BaseException | None) -> dict[str, str]:
    if error is None:
        return {}
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames[-5:]))
    return {"error": type(error).__name__, "where": where}
