"""The directives of mappings: what each makes of its argument, and of an event.

`@liquid`, which runs templates in a language of its own, is left out.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from personalize.destination.compiler import Compiler, Directive, Render, is_directive, nothing
from personalize.destination.nulls import without_nulls
from personalize.destination.paths import path
from personalize.destination.values import MISSING, Found, Json, decoded, encoded, kind, text

MAX_PATTERN = 10
"""Characters of what `@replace` looks for, and of what it puts in its place."""

_FIELD = re.compile(r"\{\{\s*(.*?)\s*\}\}")


def _path(mapping: Json, compiler: Compiler) -> Render:
    if isinstance(mapping, str):
        return path(mapping).find
    render = compiler.said(mapping)

    def find(event: Json) -> Found:
        said = render(event)
        return path(said).find(event) if isinstance(said, str) else MISSING

    return find


def _literal(mapping: Json, compiler: Compiler) -> Render:
    return compiler.value(mapping)


def _template(mapping: Json, compiler: Compiler) -> Render:
    render = compiler.said(mapping)

    def fill(event: Json) -> Found:
        def found(field: re.Match[str]) -> str:
            value = path(field[1]).find(event)
            return "" if value is MISSING or value is None else text(value)

        template = render(event)
        return _FIELD.sub(found, template) if isinstance(template, str) else MISSING

    return fill


def _if(mapping: Json, compiler: Compiler) -> Render:
    told = compiler.object(mapping)
    asked = next((name for name in ("exists", "blank") if name in told), None)
    if asked is None:
        compiler.add('should have field "exists" or "blank" but it doesn\'t.')
        return nothing
    condition, then, otherwise = (compiler.member(told, name) for name in (asked, "then", "else"))
    absent: tuple[Found, ...] = (MISSING, None) if asked == "exists" else (MISSING, None, "")

    def choose(event: Json) -> Found:
        value = condition(event)
        is_absent = any(value is one or (isinstance(value, str) and value == one) for one in absent)
        return otherwise(event) if is_absent else then(event)

    return choose


def _case(mapping: Json, compiler: Compiler) -> Render:
    told = compiler.object(mapping)
    if told and "operator" not in told:
        compiler.add('requires a "operator" key', joined="")
    operator, value = compiler.member(told, "operator"), compiler.member(told, "value")

    def cased(event: Json) -> Found:
        found = value(event)
        if not isinstance(found, str):
            return found
        return {"lower": found.lower, "upper": found.upper}.get(str(operator(event)), lambda: found)()

    return cased


def _replace(mapping: Json, compiler: Compiler) -> Render:
    told = compiler.object(mapping)
    compiler.has(told, "pattern", "value")
    for name in ("pattern", "replacement", "pattern2", "replacement2"):
        with compiler.within(name):
            compiler.short(told.get(name, ""), MAX_PATTERN)
    for name in ("ignorecase", "global"):
        with compiler.within(name):
            compiler.boolean(told.get(name, False))
    flags = re.IGNORECASE if told.get("ignorecase") is True else re.NOFLAG
    count = 1 if told.get("global") is False else 0
    pairs = [
        (re.compile(re.escape(str(told[pattern])), flags), _always(str(told.get(replacement, ""))))
        for pattern, replacement in (("pattern", "replacement"), ("pattern2", "replacement2"))
        if told.get(pattern)
    ]
    value = compiler.member(told, "value")

    def replaced(event: Json) -> Found:
        found = value(event)
        if not isinstance(found, str | int | float):
            return found
        said = text(found)
        for pattern, replacement in pairs:
            said = pattern.sub(replacement, said, count=count)
        return said

    return replaced


def _always(said: str) -> Callable[[re.Match[str]], str]:
    """Return what puts a text in the place of a match, as it is: a backslash in it means nothing."""
    return lambda _: said


def _json(mapping: Json, compiler: Compiler) -> Render:
    told = compiler.object(mapping)
    compiler.has(told, "value", "mode")
    with compiler.within("mode"):
        compiler.one_of(told.get("mode"), "encode", "decode")
    value, encodes = compiler.member(told, "value"), told.get("mode") == "encode"

    def coded(event: Json) -> Found:
        found = value(event)
        if found is MISSING:
            return found
        if encodes:
            return encoded(found)
        return decoded(found) if isinstance(found, str) else found

    return coded


def _flatten(mapping: Json, compiler: Compiler) -> Render:
    told = compiler.object(mapping)
    compiler.has(told, "value", "separator")
    value, separator = compiler.member(told, "value"), compiler.member(told, "separator")
    keeps_lists = told.get("omitArrays") is True

    def flattened(event: Json) -> Found:
        found, between = value(event), separator(event)
        if not _has_parts(found, keeps_lists=False) or not isinstance(between, str):
            return found
        return dict(_leaves(found, "", between, keeps_lists=keeps_lists))

    return flattened


def _has_parts(value: Found, *, keeps_lists: bool) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list | tuple) and not keeps_lists)


def _leaves(value: Found, name: str, separator: str, *, keeps_lists: bool) -> list[tuple[str, Json]]:
    """Return what is below a value that has parts, each with its whole way."""
    leaves: list[tuple[str, Json]] = []
    waiting: list[tuple[str, Found]] = [(name, value)]
    while waiting:
        way, found = waiting.pop()
        parts = found.items() if isinstance(found, Mapping) else enumerate(found) if isinstance(found, Sequence) else ()
        if not _has_parts(found, keeps_lists=keeps_lists and way != ""):
            leaves.append((way, None if found is MISSING else found))
        else:
            waiting.extend(reversed([(f"{way}{separator}{key}" if way else str(key), part) for key, part in parts]))
    return leaves


def _array_path(mapping: Json, compiler: Compiler) -> Render:
    if not isinstance(mapping, list | tuple):
        compiler.is_not("an array", mapping)
        return nothing
    with compiler.within("0"):
        root = (
            _path(mapping[0], compiler) if mapping and isinstance(mapping[0], str) else compiler.said(_first(mapping))
        )
    shaped = len(mapping) > 1 and isinstance(mapping[1], Mapping) and bool(mapping[1])
    with compiler.within("1"):
        shape = compiler.value(mapping[1]) if shaped else nothing

    def reshaped(event: Json) -> Found:
        found = root(event)
        if not shaped or not isinstance(found, Mapping | list | tuple):
            return found
        items = [found] if isinstance(found, Mapping) else found
        return [None if made is MISSING else made for made in (shape(item) for item in items)]

    return reshaped


def _first(mapping: Sequence[Json]) -> Json:
    return mapping[0] if mapping else None


def _merge(mapping: Json, compiler: Compiler) -> Render:
    told = compiler.object(mapping)
    compiler.has(told, "objects", "direction")
    with compiler.within("direction"):
        compiler.one_of(told.get("direction"), "left", "right")
    objects = told.get("objects")
    if not isinstance(objects, list | tuple):
        with compiler.within("objects"):
            compiler.is_not("an array", objects)
        return nothing
    for one in objects:
        if not isinstance(one, Mapping):
            compiler.top(f"should be a object or a mapping directive but it is a {kind(one)}.")
    parts = [compiler.value(one) for one in objects]
    ordered = parts if told.get("direction") == "right" else parts[::-1]

    def merged(event: Json) -> Found:
        found = [part(event) for part in ordered]
        return {name: value for one in found if isinstance(one, Mapping) for name, value in one.items()}

    return merged


def _transform(mapping: Json, compiler: Compiler) -> Render:
    if is_directive(mapping):
        compiler.add("should be an object but it is a directive.")
        return nothing
    told = compiler.object(mapping)
    compiler.has(told, "apply", "mapping")
    apply, then = compiler.member(told, "apply"), compiler.member(told, "mapping")

    def transformed(event: Json) -> Found:
        applied = apply(event)
        return then({} if applied is MISSING else applied)

    return transformed


def _exclude_when_null(mapping: Json, compiler: Compiler) -> Render:
    value = compiler.value(mapping)
    return lambda event: without_nulls(value(event))


DIRECTIVES: Mapping[str, Directive] = {
    "@path": _path,
    "@template": _template,
    "@literal": _literal,
    "@if": _if,
    "@case": _case,
    "@replace": _replace,
    "@json": _json,
    "@flatten": _flatten,
    "@arrayPath": _array_path,
    "@merge": _merge,
    "@transform": _transform,
    "@excludeWhenNull": _exclude_when_null,
}
