"""The path of a whole page."""

from collections.abc import Sequence
from typing import Any

from personalize.errors import (
    BadCredentials,
    BadParameter,
    BodyTooLarge,
    PersonalizeError,
    TooManyRequests,
    UnsupportedMediaType,
)
from personalize.registry import AnyRecipe
from personalize.trust.ids import IdRules
from personalize.web.openapi import headers, parameters, problems
from personalize.web.openapi.recipes import ANY_PROOF, access_of, provenance
from personalize.web.page import ID_PATTERN, MAX_RECIPES

_ABOUT = """\
All recipes share what is read of the visitor, and one deadline. One that is slow, broken, unknown or not for this
caller costs only itself: its result has `"status": "error"`, and the others are as they would be.

Results are keyed by an id that each recipe may be given, its name where it has none; no id may be there twice. There
has to be an id of the visitor for each of the recipes.
"""
_RECIPES = """\
The recipes, comma-separated: `name`, or `id:name`. A parameter of one stands beside them as `id.parameter`, like
`recipes=side:recommended-posts&side.limit=3`.
"""

_ENTRY_ID = {
    "type": ["string", "null"],
    "pattern": f"^{ID_PATTERN}$",
    "description": "The key of the result, where that is not the name.",
}


_KNOWN = {"description": "The results are those that the caller has.", "headers": headers.OF_ANSWERS}


def page_item(recipes: Sequence[AnyRecipe], answers: Sequence[dict[str, Any]], rules: IdRules) -> dict[str, Any]:
    """Return the path item of a whole page.

    Args:
        recipes: all that are loaded.
        answers: the schemas of what they answer, in the same order.
        rules: which ids may be asked about.
    """
    told = parameters.ids({one.collection for one in recipes}, rules)
    results = {
        "description": "The results, in the order asked.",
        "headers": headers.OF_ANSWERS,
        "content": {"application/json": {"schema": _results(answers)}},
    }
    return {
        "get": {
            "operationId": "getPage",
            "summary": "Answer several recipes",
            **_common({"200": results, "304": _KNOWN}),
            "parameters": [
                _names(recipes),
                *(parameters.query(name, schema) for name, schema in told.items()),
                parameters.query("timeout_ms", parameters.timeout()),
            ],
        },
        "post": {
            "operationId": "postPage",
            "summary": "Answer several recipes, asked in a body",
            **_common({"200": results}, BodyTooLarge, UnsupportedMediaType),
            "requestBody": {"required": True, "content": {"application/json": {"schema": _body(recipes, told)}}},
        },
    }


def _common(answers: dict[str, Any], *errors: type[PersonalizeError]) -> dict[str, Any]:
    """Return what both ways to ask have in common."""
    return {
        "tags": ["pages"],
        "description": _ABOUT,
        "security": ANY_PROOF,
        "responses": {
            **answers,
            **problems.answers(BadParameter, BadCredentials, TooManyRequests, *errors),
        },
    }


def _names(recipes: Sequence[AnyRecipe]) -> dict[str, Any]:
    return {
        "name": "recipes",
        "in": "query",
        "required": True,
        "description": _RECIPES,
        "style": "form",
        "explode": False,
        "schema": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_RECIPES,
            "items": {"type": "string", "pattern": f"^{ID_PATTERN}(:[^,]*)?$"},
        },
        **({"example": names} if (names := _example(recipes)) else {}),
    }


def _example(recipes: Sequence[AnyRecipe]) -> list[str]:
    """Return the names of some recipes that may be asked about the example's visitor as they are."""
    plain = [one for one in recipes if access_of(one) != "server" and not parameters.required(one)]
    return [one.name for one in plain if one.collection == "users"][:2]


def _body(recipes: Sequence[AnyRecipe], told: dict[str, dict[str, Any]]) -> dict[str, Any]:
    entries = [*map(_entry, recipes), _unknown([one.name for one in recipes])]
    named = _example(recipes)
    ids = {name: {**schema, "type": ["string", "null"]} for name, schema in told.items()}
    return {
        "type": "object",
        "properties": {
            **ids,
            "timeout_ms": {"type": ["integer", "null"], "description": parameters.timeout()["description"]},
            "recipes": {"type": "array", "minItems": 1, "maxItems": MAX_RECIPES, "items": {"oneOf": entries}},
        },
        "required": ["recipes"],
        "additionalProperties": False,
        "examples": [{"anonymous_id": parameters.EXAMPLE_ID, "recipes": [{"name": one} for one in named]}]
        if named
        else [],
    }


def _entry(recipe: AnyRecipe) -> dict[str, Any]:
    needed = parameters.required(recipe)
    given = {
        "type": "object",
        "properties": parameters.own(recipe),
        "required": needed,
        "additionalProperties": False,
    }
    return {
        "title": recipe.name,
        "type": "object",
        "properties": {"name": {"const": recipe.name}, "id": _ENTRY_ID, "params": given},
        "required": ["name", *(["params"] if needed else [])],
        "additionalProperties": False,
    }


def _unknown(names: list[str]) -> dict[str, Any]:
    key = [
        {"properties": {"name": {"pattern": _ENTRY_ID["pattern"]}}},
        {"properties": {"id": {"type": "string"}}, "required": ["id"]},
    ]
    return {
        "title": "Another recipe",
        "description": "There is none of that name: its result says so.",
        "type": "object",
        "properties": {
            "name": {"type": "string", "not": {"enum": names}},
            "id": _ENTRY_ID,
            "params": {"type": "object"},
        },
        "required": ["name"],
        "additionalProperties": False,
        "anyOf": key,
    }


def _results(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "results": {
                "type": "object",
                "description": "By the recipes' ids.",
                "additionalProperties": {"oneOf": [_answered(answers), _refused()]},
            }
        },
        "required": ["results"],
    }


def _answered(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    # Not `oneOf`: an empty list is of the type of any recipe that answers a list.
    data = [one for number, one in enumerate(answers) if one not in answers[:number]]
    return {
        "title": "Answered",
        "type": "object",
        "properties": {"status": {"const": "ok"}, **provenance(), "data": {"anyOf": data}},
        "required": ["status", "personalized", "degraded", "data"],
    }


def _refused() -> dict[str, Any]:
    error = {
        "type": "object",
        "properties": {"status": {"type": "integer"}, "code": {"type": "string"}, "detail": {"type": "string"}},
        "required": ["status", "code", "detail"],
    }
    return {
        "title": "Not answered",
        "type": "object",
        "properties": {
            "status": {"const": "error"},
            **provenance(),
            "data": {"type": "null"},
            "error": error,
        },
        "required": ["status", "personalized", "degraded", "data", "error"],
    }
