"""One recipe's path."""

import inspect
from typing import Any, TypeAlias

from personalize.errors import (
    BadCredentials,
    BadParameter,
    PersonalizeError,
    ProofRequired,
    RecipeFailed,
    TooManyRequests,
)
from personalize.registry import AnyRecipe
from personalize.trust.ids import IdRules
from personalize.web.openapi import headers, parameters, problems

ACCESS = {
    "public": "Anybody may ask.",
    "verified": (
        "Anybody may ask about an `anonymous_id` that is a random UUID, and about the id that an identity token names; "
        "about others only with an API key."
    ),
    "server": "Only with an API key.",
}

PROOF: dict[str, tuple[type[PersonalizeError], ...]] = {
    "public": (),
    "verified": (ProofRequired,),
    "server": (ProofRequired,),
}
"""The problem of a caller whose proof is not the one that is wanted."""

Schemes: TypeAlias = list[dict[str, list[str]]]

KEY: Schemes = [{"apiKey": []}]
ANY_PROOF: Schemes = [{}, {"identityToken": []}, *KEY]
SECURITY: dict[str, Schemes] = {"public": [{}, *KEY], "verified": ANY_PROOF, "server": KEY}
"""What a caller may send, or has to: the bearer scheme carries either."""


def recipe_item(recipe: AnyRecipe, data: dict[str, Any], rules: IdRules) -> dict[str, Any]:
    """Return the path item of a recipe.

    Args:
        recipe: as it was declared.
        data: the schema of what it answers.
        rules: which ids may be asked about.
    """
    access = access_of(recipe)
    summary, description = described(recipe)
    return {
        "get": {
            "operationId": recipe.name.replace("-", "_"),
            "tags": ["recipes"],
            "summary": summary,
            "description": "\n\n".join(filter(None, [description, ACCESS[access]])),
            "security": SECURITY[access],
            "parameters": _parameters(recipe, rules),
            "responses": {
                "200": _answer(recipe, data),
                "304": {"description": "The answer is the one that the caller has.", "headers": headers.OF_ANSWERS},
                **problems.answers(BadParameter, BadCredentials, *PROOF[access], TooManyRequests, RecipeFailed),
            },
        }
    }


def access_of(recipe: AnyRecipe) -> str:
    """Return who may ask, in effect: no visitor can prove to be an account."""
    return "server" if recipe.collection == "accounts" and recipe.access != "public" else recipe.access


def described(recipe: AnyRecipe) -> tuple[str, str]:
    """Return a recipe's summary and description: its docstring's first line, and the rest."""
    summary, _, rest = (inspect.getdoc(recipe.function) or recipe.name).partition("\n")
    return summary.strip().removesuffix("."), rest.strip()


def _parameters(recipe: AnyRecipe, rules: IdRules) -> list[dict[str, Any]]:
    ids = parameters.ids([recipe.collection], rules)
    only = {"minLength": 1} if len(ids) == 1 else {}
    needed = parameters.required(recipe)
    return [
        *(parameters.query(name, schema | only, needed=bool(only)) for name, schema in ids.items()),
        *(parameters.query(name, schema, needed=name in needed) for name, schema in parameters.own(recipe).items()),
        parameters.query("timeout_ms", parameters.timeout()),
    ]


def _answer(recipe: AnyRecipe, data: dict[str, Any]) -> dict[str, Any]:
    envelope = {
        "type": "object",
        "properties": {"recipe": {"const": recipe.name}, **provenance(), "data": data},
        "required": ["recipe", "personalized", "degraded", "data"],
    }
    content: dict[str, Any] = {"application/json": {"schema": envelope}}
    if recipe.template is not None:
        content["text/html"] = {"schema": {"type": "string", "description": "The same as a fragment of a page."}}
    return {"description": "The recipe's answer.", "headers": headers.OF_ANSWERS, "content": content}


def provenance() -> dict[str, Any]:
    """Return the schemas of what an answer says of itself."""
    return {
        "personalized": {"type": "boolean", "description": "Whether something of the visitor was found and used."},
        "degraded": {"type": "boolean", "description": "Whether something that was wanted could not be read just now."},
    }
