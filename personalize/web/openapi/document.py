"""The whole document, from its parts."""

from typing import Any

from personalize.installed import version
from personalize.registry import Registry
from personalize.trust.ids import IdRules
from personalize.web.openapi import changes, headers, operations, problems
from personalize.web.openapi.page import page_item
from personalize.web.openapi.recipes import recipe_item
from personalize.web.openapi.schemas import Schemas
from personalize.web.responses import Problem

ABOUT = """\
What should this visitor see? Each recipe answers one question about a visitor, and `/api/personalize` asks several at
once.

A visitor is named by `user_id` or `anonymous_id`, an account by `group_id`; with both ids of a visitor, `user_id` is
looked up first. An unknown visitor is no error: the answer then has `"personalized": false`. Nor is a service behind
this one that is slow or away: the answer is what was last known, or what everybody gets, and says `"degraded": true`.

What is asked wrongly is answered with a problem (RFC 9457) that names the field; a parameter that is not described here
is one of them. Answers may be kept for as long as `Cache-Control` says, and asked for again with `If-None-Match`.
"""

TAGS = [
    {"name": "recipes", "description": "One recipe about one visitor."},
    {"name": "pages", "description": "Several recipes about one visitor."},
    {"name": "changes", "description": "People who are to be forgotten, and what has changed of them."},
    {"name": "operations", "description": "For those who run the service."},
]

SCHEMES = {
    "apiKey": {"type": "http", "scheme": "bearer", "description": "A key of one of our own servers."},
    "identityToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": (
            "A token that proves who the visitor is (RFC 7519): `sub` is `user_id:…` or `anonymous_id:…`, `exp` is an "
            "hour from now at most, `aud` what the service is told (`personalize`), and `kid` names the key."
        ),
    },
}


def document(recipes: Registry, rules: IdRules, *, webhook: bool = False, metrics: bool = True) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of a service.

    Args:
        recipes: those that are loaded, one path each.
        rules: which ids may be asked about.
        webhook: whether Segment pushes changes.
        metrics: whether they are shown here, and not at a port of their own.
    """
    schemas = Schemas()
    problem = schemas.of(Problem, owner=problems.OTHER)
    answers = {recipe.name: schemas.of(recipe.returns, owner=recipe.name) for recipe in recipes.values()}
    items = {f"/api/{name}": recipe_item(recipe, answers[name], rules) for name, recipe in recipes.items()}
    page = page_item(tuple(recipes.values()), tuple(answers.values()), rules)
    others = {**changes.items(rules, webhook=webhook), **operations.items(metrics=metrics)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Personalize", "version": version(), "description": ABOUT},
        "tags": TAGS,
        "paths": {**items, "/api/personalize": page, **others},
        "components": {
            "schemas": schemas.components,
            "responses": problems.components(problem),
            "headers": headers.COMPONENTS,
            "securitySchemes": {**SCHEMES, **changes.security(webhook=webhook)},
        },
    }
