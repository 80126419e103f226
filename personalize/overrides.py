"""What a deployment says otherwise than its recipes: access, time to live, and parameters' defaults. Pure.

An override is written `name.key=value`, with the name of a recipe and for a key `access`, `ttl` or a parameter:
`recommended-posts.ttl=1m`.
"""

import dataclasses
import difflib
import re
from collections.abc import Callable, Iterable
from typing import get_args

from personalize import durations
from personalize.declare import Access
from personalize.errors import BadParameter, SettingsError
from personalize.registry import AnyRecipe, Registry

_OVERRIDE = re.compile(r"(?P<name>[^.=\s]+)\.(?P<key>[^.=\s]+)=(?P<value>.*)", re.DOTALL)


def overridden(recipes: Registry, overrides: Iterable[str]) -> Registry:
    """Return the recipes as a deployment wants them.

    Args:
        recipes: as they declare themselves.
        overrides: each `name.key=value`.

    Raises:
        SettingsError: with every override that fits no recipe.
    """
    changed = dict(recipes)
    said: set[str] = set()
    problems: list[str] = []
    for text in overrides:
        try:
            name, key, value = _read(text, said)
            changed[name] = _with(_found(changed, name), key, value)
        except (ValueError, BadParameter) as error:
            problems.append(f"PERSONALIZE_OVERRIDES: {error}")
    if problems:
        raise SettingsError(problems)
    return Registry(changed.values())


def _read(text: str, said: set[str]) -> tuple[str, str, str]:
    """Return an override's parts, and remember that it was said."""
    match = _OVERRIDE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no override: write it like recommended-posts.limit=3, the value without commas.")
    name, key, value = match.groups()
    if f"{name}.{key}" in said:
        raise ValueError(f"`{name}.{key}` is there twice: keep one.")
    said.add(f"{name}.{key}")
    return name, key, value


def _found(recipes: dict[str, AnyRecipe], name: str) -> AnyRecipe:
    if name not in recipes:
        raise ValueError(f"there is no recipe {name!r}.{_meant(name, recipes)}")
    return recipes[name]


def _with(recipe: AnyRecipe, key: str, value: str) -> AnyRecipe:
    """Return a recipe of which one thing is otherwise."""
    if key not in {*_DECLARED, *recipe.params}:
        raise ValueError(f"recipe {recipe.name!r} has no parameter {key!r}.{_meant(key, [*_DECLARED, *recipe.params])}")
    if key in _DECLARED:
        try:
            return _DECLARED[key](recipe, value)
        except ValueError as error:
            raise ValueError(f"`{recipe.name}.{key}`: {error}.") from None
    default = recipe.params[key].converted(value, field=f"{recipe.name}.{key}")
    parameters = (dataclasses.replace(one, default=default) if one.name == key else one for one in recipe.parameters)
    return dataclasses.replace(recipe, parameters=tuple(parameters))


def _with_access(recipe: AnyRecipe, value: str) -> AnyRecipe:
    levels: dict[str, Access] = {level: level for level in get_args(Access)}
    if value not in levels:
        raise ValueError(f"access is one of {', '.join(levels)}, not {value!r}")
    return dataclasses.replace(recipe, access=levels[value])


def _with_ttl(recipe: AnyRecipe, value: str) -> AnyRecipe:
    return dataclasses.replace(recipe, ttl=durations.seconds(value))


_DECLARED: dict[str, Callable[[AnyRecipe, str], AnyRecipe]] = {"access": _with_access, "ttl": _with_ttl}
"""What every recipe has, before its parameters: one of the same name keeps its default."""


def _meant(name: str, known: Iterable[str]) -> str:
    """Return the rest of a line that says what was perhaps meant, else what there is."""
    there = sorted(known)
    near = difflib.get_close_matches(name, there, n=1)
    return f" Did you mean {near[0]}?" if near else f" There is {', '.join(there)}."
