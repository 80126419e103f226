"""Query strings and bodies become a visitor and recipes' parameters: nothing later sees a raw string."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import parse_qsl

from msgspec import Struct

from personalize.declare import NO_DEFAULT
from personalize.errors import BadParameter
from personalize.model import Collection, ExternalId, Visitor
from personalize.registry import AnyRecipe
from personalize.trust.ids import IdRules

MAX_FIELDS = 100
ID_FIELDS = ("user_id", "anonymous_id", "group_id")
VISITOR_FIELDS = (*ID_FIELDS, "external_id")
_OF_ALL = (*VISITOR_FIELDS, "timeout_ms")
"""What every recipe may be asked with."""

MIN_TIMEOUT_MS, MAX_TIMEOUT_MS = 50, 2000
"""What a caller may say that it waits; what is shorter or longer counts as these."""

MAX_TOLD_MS = 999_999_999
"""The largest number that is read as milliseconds at all."""

_WHOLE = re.compile(rf"[0-9]{{1,{len(str(MAX_TOLD_MS))}}}")


class Query(Struct, frozen=True):
    """What one request asks: about whom, with which parameters, and for how many seconds it waits, if it says so."""

    visitor: Visitor
    params: Mapping[str, object]
    seconds: float | None = None


def parse(query_string: bytes, recipe: AnyRecipe, rules: IdRules) -> Query:
    """Return what a query string asks of a recipe.

    Raises:
        BadParameter: names the field that is missing, unknown, repeated or out of bounds.
    """
    given = fields(query_string)
    converted = arguments(given, recipe, besides=_OF_ALL)
    visitor = visitor_of(given, rules)
    require(visitor, recipe.collection)
    return Query(visitor, converted, seconds(given.get("timeout_ms")))


def fields(query_string: bytes) -> dict[str, str]:
    """Return the fields of a query string; raise `BadParameter` for one that is there twice."""
    given: dict[str, str] = {}
    for name, value in _pairs(query_string):
        if name in given:
            raise BadParameter(name, "is given more than once.")
        given[name] = value
    return given


def visitor_of(given: Mapping[str, str | None], rules: IdRules) -> Visitor:
    """Return the visitor; a blank id counts as absent, for that is what a page's template writes when it has none."""
    user_id, anonymous_id, group_id = (
        rules.checked(name, name, value).value if (value := given.get(name)) else None for name in ID_FIELDS
    )
    other = given.get("external_id")
    return Visitor(user_id, anonymous_id, group_id, rules.parsed("external_id", other) if other else None)


def people(query_string: bytes, rules: IdRules) -> dict[Collection, list[ExternalId]]:
    """Return all ids that a query string names, each as often as it likes, by their collections.

    Raises:
        BadParameter: names the field that is missing, unknown or no id.
    """
    found: dict[Collection, list[ExternalId]] = {}
    for name, value in _pairs(query_string):
        if name not in VISITOR_FIELDS:
            raise BadParameter(name, f"is not an id.{suggestion(name, VISITOR_FIELDS)}")
        one = rules.parsed(name, value) if name == "external_id" else rules.checked(name, name, value)
        found.setdefault("accounts" if name == "group_id" else "users", []).append(one)
    if not found:
        raise BadParameter("user_id", "or another id is required: say whom this is about.")
    return found


def require(visitor: Visitor, collection: Collection) -> None:
    """Raise `BadParameter` for a visitor of whom no id of this collection is known."""
    if visitor.external_ids(collection):
        return
    if collection == "accounts":
        raise BadParameter("group_id", "is required: say whom this is about.")
    raise BadParameter("user_id", "or `anonymous_id` is required: say whom this is about.")


def arguments(
    given: Mapping[str, object],
    recipe: AnyRecipe,
    *,
    prefix: str = "",
    strict: bool = False,
    besides: Sequence[str] = (),
) -> dict[str, object]:
    """Return a recipe's parameters as their types.

    Args:
        given: by their names.
        recipe: whose they are.
        prefix: what stands before their names in the request.
        strict: whether they are JSON values, of which a text is no number, rather than the texts of a query string.
        besides: names that may be among those given and are not the recipe's.

    Raises:
        BadParameter: names the one that is missing, unknown or out of bounds.
    """
    known = (*besides, *recipe.params)
    for name in given:
        if name not in known:
            raise BadParameter(prefix + name, f"is not a parameter of this recipe.{suggestion(name, known)}")
    converted: dict[str, object] = {}
    for name, parameter in recipe.params.items():
        if name in given:
            converted[name] = parameter.converted(given[name], field=prefix + name, strict=strict)
        elif parameter.default is NO_DEFAULT:
            raise BadParameter(prefix + name, "is required.")
    return converted


def seconds(timeout_ms: str | float | None) -> float | None:
    """Return what a caller says that it waits, within bounds."""
    if timeout_ms is None:
        return None
    whole = _WHOLE.fullmatch(timeout_ms) if isinstance(timeout_ms, str) else timeout_ms % 1 == 0
    if not whole:
        raise BadParameter("timeout_ms", "is not a whole number of milliseconds.")
    return min(max(int(timeout_ms), MIN_TIMEOUT_MS), MAX_TIMEOUT_MS) / 1000


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the rest of a sentence that names what was perhaps meant."""
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean `{near[0]}`?" if near else ""


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except UnicodeError:
        raise BadParameter("query", "is not percent-encoded UTF-8.") from None
    except ValueError:
        raise BadParameter("query", f"has more than {MAX_FIELDS} parameters.") from None
