"""What Segment's calls say: of whom, and what has changed. Pure.

Computed traits and audiences are told of in identify calls, with the new value among their `traits`, and in track
calls, with it among their `properties`; `context.personas` names what was computed. That somebody is to be deleted is a
call of its own type.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from personalize.cache.amendment import Change
from personalize.cache.inbox import Kind
from personalize.errors import BadParameter
from personalize.model import ExternalId, Moment, as_text
from personalize.trust.ids import IdRules

MEMBERS = {"user_id": "userId", "anonymous_id": "anonymousId"}
"""The types of the ids that a call is about, and the member that carries each."""

VALUES = {"identify": "traits", "track": "properties"}
"""The types of calls that tell what was computed, and the member that carries its value."""

TRAITS = frozenset({"trait", "computed_trait"})
AUDIENCES = frozenset({"audience", "journey_step"})
"""Classes of computations, as `context.personas` names them."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one call says.

    `trait` is the key of what was computed, where it is named; `change` its new value, where that can be told; `at` the
    time of the call, in seconds since the epoch.
    """

    kind: Kind
    external_ids: tuple[ExternalId, ...] = ()
    trait: str | None = None
    change: Change | None = None
    at: float | None = None


NOTHING = Said("other")


def read(call: bytes, rules: IdRules) -> Said:
    """Return what a call says; what cannot be read, or is about something else, says nothing."""
    try:
        told = msgspec.json.decode(call)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return NOTHING
    if not isinstance(told, dict):
        return NOTHING
    ids, at, type_ = _external_ids(told, rules), _time(told), as_text(told.get("type"))
    if type_ == "delete":
        return Said("delete", ids, at=at)
    personas = _member(_member(told, "context"), "personas")
    if type_ not in VALUES or not personas:
        return Said("other", ids, at=at)
    kind: Kind = "audience" if as_text(personas.get("computation_class")) in AUDIENCES else "trait"
    return Said(kind, ids, as_text(personas.get("computation_key")), change_of(told), at)


def change_of(told: Mapping[str, Any]) -> Change | None:
    """Return the new value of what was computed; `None` where a call does not tell it, or not since when it is so."""
    personas = _member(_member(told, "context"), "personas")
    class_, trait = as_text(personas.get("computation_class")), as_text(personas.get("computation_key"))
    values, at = _member(told, VALUES.get(as_text(told.get("type")) or "", "")), _time(told)
    if trait is None or at is None or trait not in values:
        return None
    if class_ in AUDIENCES:
        return Change(trait, values[trait], at, audience=True) if isinstance(values[trait], bool) else None
    return Change(trait, values[trait], at) if class_ in TRAITS else None


def _external_ids(told: Mapping[str, Any], rules: IdRules) -> tuple[ExternalId, ...]:
    """Return the ids of a call that could be asked about here: of others nothing is cached."""
    found = []
    for id_type, member in MEMBERS.items():
        try:
            found.append(rules.checked(member, id_type, as_text(told.get(member)) or ""))
        except BadParameter:
            continue
    return tuple(found)


def _time(told: Mapping[str, Any]) -> float | None:
    try:
        return msgspec.convert(told.get("timestamp"), Moment).timestamp()
    except msgspec.ValidationError:
        return None


def _member(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    member = told.get(name)
    return member if isinstance(member, dict) else {}
