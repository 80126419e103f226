"""Query strings become a visitor and a recipe's parameters: nothing later sees a raw string."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from personalize.declare import NO_DEFAULT
from personalize.errors import BadParameter
from personalize.model import Visitor
from personalize.registry import AnyRecipe
from personalize.trust.ids import IdRules

MAX_FIELDS = 100
ID_FIELDS = ("user_id", "anonymous_id", "group_id")


@dataclass(frozen=True, slots=True)
class Query:
    """What one request asks: about whom, and with which parameters."""

    visitor: Visitor
    params: Mapping[str, object]


def parse(query_string: bytes, recipe: AnyRecipe, rules: IdRules) -> Query:
    """Return what a query string asks of a recipe.

    Raises:
        BadParameter: names the field that is missing, unknown, repeated or out of bounds.
    """
    fields = _fields(query_string, known=(*ID_FIELDS, "external_id", *recipe.params))
    return Query(_visitor(fields, recipe, rules), _params(fields, recipe))


def _fields(query_string: bytes, known: Iterable[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in _pairs(query_string):
        if name not in known:
            raise BadParameter(name, f"is not a parameter of this recipe.{_suggestion(name, known)}")
        if name in fields:
            raise BadParameter(name, "is given more than once.")
        fields[name] = value
    return fields


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except UnicodeError:
        raise BadParameter("query", "is not percent-encoded UTF-8.") from None
    except ValueError:
        raise BadParameter("query", f"has more than {MAX_FIELDS} parameters.") from None


def _visitor(fields: Mapping[str, str], recipe: AnyRecipe, rules: IdRules) -> Visitor:
    """Return the visitor; a blank id counts as absent, for that is what a page's template writes when it has none."""
    ids = {name: rules.checked(name, name, fields[name]).value for name in ID_FIELDS if fields.get(name)}
    other = rules.parsed("external_id", fields["external_id"]) if fields.get("external_id") else None
    visitor = Visitor(**ids, external_id=other)
    if not visitor.external_ids(recipe.collection):
        if recipe.collection == "accounts":
            raise BadParameter("group_id", "is required: say whom this is about.")
        raise BadParameter("user_id", "or `anonymous_id` is required: say whom this is about.")
    return visitor


def _params(fields: Mapping[str, str], recipe: AnyRecipe) -> dict[str, object]:
    params: dict[str, object] = {}
    for name, parameter in recipe.params.items():
        if name in fields:
            params[name] = parameter.converted(fields[name])
        elif parameter.default is NO_DEFAULT:
            raise BadParameter(name, "is required.")
    return params


def _suggestion(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean `{near[0]}`?" if near else ""
