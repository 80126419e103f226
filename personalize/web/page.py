"""What a page asks: several recipes about one visitor, from a query string or a JSON body."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from personalize.errors import BadParameter
from personalize.model import Visitor
from personalize.trust.ids import IdRules
from personalize.web import params

MAX_RECIPES = 20
MAX_BODY = 64 * 1024
"""Bytes of a body: twenty recipes with all that they may be told are a few thousand."""

ID_PATTERN = "[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
"""An entry's id."""

_ID = re.compile(ID_PATTERN)


@dataclass(frozen=True, slots=True)
class Entry:
    """One recipe of a page: under which id its answer stands, and what it was given.

    `prefix` is what stands before a parameter's name in the request, for messages; `strict` whether it was given JSON
    values rather than texts.
    """

    id: str
    recipe: str
    given: Mapping[str, object]
    prefix: str
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """What a page asks, and for how many seconds it waits, if it says so."""

    visitor: Visitor
    entries: Sequence[Entry]
    seconds: float | None


class _BodyEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    name: str
    id: str | None = None
    params: dict[str, msgspec.Raw] = msgspec.field(default_factory=dict)


class _Body(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    recipes: list[_BodyEntry]
    user_id: str | None = None
    anonymous_id: str | None = None
    group_id: str | None = None
    external_id: str | None = None
    timeout_ms: float | None = None


def from_query(query_string: bytes, rules: IdRules) -> Page:
    """Return what `recipes=side:recommended-posts,hero:audience-content&side.limit=3` asks.

    Raises:
        BadParameter: names the field that is missing, unknown, repeated or out of bounds.
    """
    given = params.fields(query_string)
    named = [_named(one) for one in given.get("recipes", "").split(",") if one.strip()]
    _check_number(len(named))
    entries = [Entry(id_, recipe, _of(id_, given), f"{id_}.") for id_, recipe in named]
    _check(entries)
    known = {"recipes", "timeout_ms", *params.VISITOR_FIELDS}
    prefixes = tuple(one.prefix for one in entries)
    for name in given:
        if name not in known and not name.startswith(prefixes):
            raise BadParameter(name, f"is not a parameter of this page.{params.suggestion(name, known)}")
    return Page(params.visitor_of(given, rules), entries, params.seconds(given.get("timeout_ms")))


def from_body(body: bytes, rules: IdRules) -> Page:
    """Return what a JSON body asks.

    Raises:
        BadParameter: names the member that is missing, unknown, repeated or out of bounds.
    """
    try:
        told = msgspec.json.decode(body, type=_Body)
        json.loads(body, object_pairs_hook=_without_repeats)
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadParameter("body", "is not JSON.") from None
    _check_number(len(told.recipes))
    entries = [_entry(one, f"recipes[{number}].params.") for number, one in enumerate(told.recipes)]
    _check(entries)
    ids = {name: getattr(told, name) for name in params.VISITOR_FIELDS}
    return Page(params.visitor_of(ids, rules), entries, params.seconds(told.timeout_ms))


def _entry(told: _BodyEntry, prefix: str) -> Entry:
    """Return an entry of a body; `prefix` is where in it its parameters stand."""
    given = {name: _whole(_value(raw, prefix + name)) for name, raw in told.params.items()}
    return Entry(told.name if told.id is None else told.id, told.name, given, prefix, strict=True)


def _value(raw: msgspec.Raw, field: str) -> object:
    """Return a parameter's value: read by itself, so that what cannot be read is told with its name."""
    try:
        return msgspec.json.decode(raw)
    except msgspec.ValidationError as error:
        raise BadParameter(field, f"is not valid: {str(error)[:1].lower()}{str(error)[1:]}.") from None
    except msgspec.DecodeError:
        raise BadParameter("body", "is not JSON.") from None


def _without_repeats(members: list[tuple[str, object]]) -> None:
    """Refuse a JSON object that says a thing twice: decoders differ in which of them they take (RFC 8259, 4)."""
    seen: set[str] = set()
    for name, _ in members:
        if name in seen:
            raise BadParameter(name, "is given more than once.")
        seen.add(name)


def _whole(value: object) -> object:
    """Return 5.0 as 5, which is the same number in JSON, and a value that is no whole number as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _named(text: str) -> tuple[str, str]:
    """Return the id and the recipe of `side:recommended-posts`; an id that is left out is the recipe's name."""
    id_, colon, recipe = text.strip().partition(":")
    return (id_, recipe) if colon else (id_, id_)


def _of(id_: str, given: Mapping[str, str]) -> dict[str, object]:
    """Return what an entry was given as `side.limit=3`."""
    return {name.removeprefix(f"{id_}."): value for name, value in given.items() if name.startswith(f"{id_}.")}


def _check_number(entries: int) -> None:
    """Refuse too many before each is looked at: every parameter would be compared with every one."""
    if not entries:
        raise BadParameter("recipes", "is required: name at least one recipe.")
    if entries > MAX_RECIPES:
        raise BadParameter("recipes", f"names more than {MAX_RECIPES} recipes.")


def _check(entries: Sequence[Entry]) -> None:
    seen: set[str] = set()
    for one in entries:
        if not _ID.fullmatch(one.id):
            raise BadParameter("recipes", "has an id that is not of letters, digits, `-` and `_`, 64 at most.")
        if one.id in seen:
            raise BadParameter("recipes", f"has the id `{one.id}` more than once: give one of them another.")
        seen.add(one.id)


def _refused(message: str) -> BadParameter:
    """Return msgspec's refusal of a body as ours: `Expected `int`, got `str` - at `$.timeout_ms`` names a field."""
    problem, _, path = message.partition(" - at `$")
    field = path.strip("`.") or "body"
    return BadParameter(field, f"is not valid: {problem[:1].lower()}{problem[1:]}.")
