"""`@recipe`: what a function's signature declares, checked where it is written."""

import inspect
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec

from personalize.declare.answers import free_json
from personalize.declare.parameters import declared_parameter
from personalize.declare.recipes import Access, P, R_co, Recipe
from personalize.errors import RecipeLoadError
from personalize.model import Collection

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
"""What a recipe may be called."""

RESERVED_NAMES = frozenset({"personalize", "profiles"})
"""Names under `/api/` that are not recipes."""


def recipe(
    name: str,
    *,
    access: Access = "verified",
    ttl: timedelta | None = None,
    collection: Collection = "users",
    template: str | None = None,
) -> Callable[[Callable[P, R_co]], Recipe[P, R_co]]:
    """Declare a function as the recipe served at `/api/{name}`.

    Args:
        name: lowercase words joined by hyphens.
        access: who may ask; `"verified"` unless said otherwise.
        ttl: the greatest age of a profile that this recipe accepts as fresh; `CACHE_TTL` is the ceiling.
        collection: whose profiles it reads, `"users"` or `"accounts"`.
        template: a file beside the recipe's that makes an HTML fragment of the answer, for those who ask for one.

    Raises:
        RecipeLoadError: the declaration is wrong; says where, why, and what to write instead.
    """
    if callable(name):
        raise RecipeLoadError(_place(name), 'give the recipe a name: write @recipe("name")')

    def declare(function: Callable[P, R_co]) -> Recipe[P, R_co]:
        where = _place(function)
        try:
            _check_words(name, access, collection)
            seconds = _seconds(ttl)
            _check_function(function)
            hints = get_type_hints(function, include_extras=True)
            parameters = tuple(
                declared_parameter(one, hints) for one in inspect.signature(function).parameters.values()
            )
            returns = _returns(hints)
        except (TypeError, ValueError, NameError, AttributeError, SyntaxError, re.error) as error:
            raise RecipeLoadError(where, f"recipe {name!r}: {error}") from None
        markup = Path(function.__code__.co_filename).with_name(template) if template else None
        return Recipe(name, function, access, collection, seconds, parameters, returns, where, markup)

    return declare


def _place(function: object) -> str:
    """Return file and line of a function, or of whatever was decorated in its place."""
    if inspect.isfunction(function):
        return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"
    return function.where if isinstance(function, Recipe) else repr(function)


def _check_words(name: str, access: str, collection: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError("a name is lowercase words joined by hyphens, like 'recommended-posts'")
    if name in RESERVED_NAMES:
        raise ValueError(f"the names {' and '.join(sorted(RESERVED_NAMES))} are taken by routes of the service")
    if access not in get_args(Access):
        raise ValueError(f"access is one of {', '.join(get_args(Access))}, not {access!r}")
    if collection not in get_args(Collection):
        raise ValueError(f"collection is one of {', '.join(get_args(Collection))}, not {collection!r}")


def _seconds(ttl: object) -> float:
    if ttl is None:
        return float("inf")
    if not isinstance(ttl, timedelta) or ttl < timedelta():
        raise TypeError("ttl is a duration, like `timedelta(minutes=5)`")
    return ttl.total_seconds()


def _check_function(function: object) -> None:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError("a recipe is a plain function, not async: it does no I/O; what needs I/O is a provider")
    if not inspect.isfunction(function) or inspect.isgeneratorfunction(function):
        raise TypeError("a recipe is a plain function that returns its answer, decorated once")


def _returns(hints: Mapping[str, Any]) -> object:
    if "return" not in hints:
        raise TypeError("the return annotation is missing, like `-> list[str]`: it becomes the answer's schema")
    msgspec.json.schema(hints["return"], schema_hook=free_json)  # raises TypeError for what JSON cannot say
    return hints["return"]
