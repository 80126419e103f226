"""What a request may say: of whom it is about, how long it waits, and a recipe's own parameters."""

from collections.abc import Iterable
from typing import Any

import msgspec

from personalize.declare import NO_DEFAULT, Parameter
from personalize.model import Collection
from personalize.registry import AnyRecipe
from personalize.trust.ids import BUILT_IN_TYPES, MAX_LENGTH, IdRules
from personalize.web import params

CONTROLS = r"\u0000-\u001f\u007f-\u009f"
"""What no id contains, as a range of a pattern."""

EXAMPLE_ID = "5e0f0c5a-8d3c-4c57-9f0e-0d2f5b6a7c11"

_ID = {"type": "string", "maxLength": MAX_LENGTH, "pattern": f"^[^{CONTROLS}]*$"}
_USER_ID = "Whom this is about, as your own systems know them."
_ANONYMOUS_ID = "Whom this is about, as analytics.js knows a browser: `analytics.user().anonymousId()`."
_GROUP_ID = "Which account this is about."
_EXTERNAL_ID = "Whom this is about, by an id of another type: `type:value`."
_TIMEOUT = (
    f"Milliseconds that the caller waits, {params.MIN_TIMEOUT_MS} to {params.MAX_TIMEOUT_MS}; "
    "less or more counts as these."
)


def ids(collections: Iterable[Collection], rules: IdRules) -> dict[str, dict[str, Any]]:
    """Return the ids by which a visitor of any of these collections is named, each with its schema."""
    wanted = set(collections)
    described: dict[str, dict[str, Any]] = {}
    if "users" in wanted:
        described["user_id"] = {"description": _USER_ID, **_ID}
        described["anonymous_id"] = {"description": _ANONYMOUS_ID, "examples": [EXAMPLE_ID], **_ID}
        if rules.accepted - BUILT_IN_TYPES:
            described["external_id"] = {"description": _EXTERNAL_ID, "type": "string", "pattern": _external(rules)}
    if "accounts" in wanted:
        described["group_id"] = {"description": _GROUP_ID, **_ID}
    return described


def timeout() -> dict[str, Any]:
    """Return the schema of how long a caller waits."""
    return {"description": _TIMEOUT, "type": "integer", "minimum": 0, "maximum": params.MAX_TOLD_MS}


def own(recipe: AnyRecipe) -> dict[str, dict[str, Any]]:
    """Return a recipe's own parameters, each with its schema."""
    return {name: _schema(one) for name, one in recipe.params.items()}


def required(recipe: AnyRecipe) -> list[str]:
    """Return the names of a recipe's own parameters that have no default."""
    return [name for name, one in recipe.params.items() if one.default is NO_DEFAULT]


def query(name: str, schema: dict[str, Any], *, needed: bool = False) -> dict[str, Any]:
    """Return a parameter of a query string."""
    rest = {key: value for key, value in schema.items() if key not in {"description", "examples"}}
    told: dict[str, Any] = {"name": name, "in": "query", "required": needed, "schema": rest}
    if "description" in schema:
        told["description"] = schema["description"]
    if "examples" in schema:
        told["example"] = schema["examples"][0]
    return told


def _schema(one: Parameter) -> dict[str, Any]:
    schema = msgspec.json.schema(one.bounded)
    description = getattr(one.need, "description", None)
    told = {"description": description} if description else {}
    default = {} if one.default is NO_DEFAULT or one.default is None else {"default": one.default}
    return {**schema, **told, **default}


def _external(rules: IdRules) -> str:
    """Return the pattern of `type:value`; like the other ids, it may be blank."""
    types = "|".join(sorted(rules.accepted))
    return f"^(({types}):[^{CONTROLS}]{{1,{MAX_LENGTH}}})?$"
