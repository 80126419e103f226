"""Mappings: JSON with `@directives`, by which an event becomes a payload.

`{"user_id": {"@path": "$.id"}, "traits": {"plan": {"@case": {"operator": "lower", "value": {"@path": "$.plan"}}}}}`.
A mapping is compiled once and rendered for each row.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from personalize.destination.nulls import without_nulls
from personalize.destination.paths import path
from personalize.destination.problems import Problems
from personalize.destination.values import MISSING, Found, Json, decoded, encoded, text
from personalize.errors import MappingError

Render = Callable[[Json], Found]

MAX_PATTERN = 10
"""Characters of what `@replace` looks for, and of what it puts in its place."""

MAX_DEPTH = 64
"""Objects in one another; a mapping is written by hand."""

INTERNAL = "__segment_internal_directive"
"""A member beside the fields: what is done with the event before they see it."""

_METADATA = "_metadata"
_FIELD = re.compile(r"\{\{\s*(.*?)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled mapping."""

    _render: Render

    def render(self, event: Json) -> dict[str, Json]:
        """Return the payload of an event; what is not there is left out, null stays.

        Raises:
            MappingError: the event is no object.
        """
        if not isinstance(event, Mapping):
            raise MappingError([f"data must be an object, got {_real_kind(event)}"])
        found = self._render(event)
        return dict(found) if isinstance(found, Mapping) else {}

    def value(self, event: Json) -> Found:
        """Return what the whole mapping is for an event, which a directive at its top need not make an object."""
        return self._render(event)


def compile_mapping(mapping: Json) -> Template:
    """Return a mapping made ready to be rendered.

    Raises:
        MappingError: with everything that is wrong with it, each with its place.
    """
    problems = Problems()
    render = _root(mapping, problems)
    if problems.found:
        raise MappingError(problems.found)
    return Template(render)


def _root(mapping: Json, problems: Problems) -> Render:
    """What is no object at the top is taken for one, as JavaScript does: by the numbers of its parts."""
    if isinstance(mapping, Mapping):
        if INTERNAL in mapping:
            rest = {name: value for name, value in mapping.items() if name != INTERNAL}
            return _with_internal(mapping[INTERNAL], rest, problems)
        return _value(mapping, problems)
    parts = list(mapping) if isinstance(mapping, Sequence) else []
    return _object({str(number): part for number, part in enumerate(parts)}, problems)


def _with_internal(internal: Json, rest: Mapping[str, Json], problems: Problems) -> Render:
    if not isinstance(internal, Mapping) or set(internal) != {"@transform"}:
        problems.add(f"{INTERNAL} should be a @transform.")
        return _nothing
    told = internal["@transform"]
    return _value({"@transform": {**(told if isinstance(told, Mapping) else {}), "mapping": rest}}, problems)


def _nothing(_: Json) -> Found:
    return MISSING


def _value(mapping: Json, problems: Problems) -> Render:
    """Compile what may be anything: a directive, an object, a list or a value that stands for itself."""
    if problems.depth > MAX_DEPTH:
        problems.add(f"should not be deeper than {MAX_DEPTH} objects.")
        return _nothing
    match mapping:
        case Mapping() if any(name.startswith("@") for name in mapping):
            return _directive(mapping, problems)
        case Mapping():
            return _object(mapping, problems)
        case str() | int() | float() | None:
            return lambda _: mapping
        case _:
            return _list(mapping, problems)


def _object(mapping: Mapping[str, Json], problems: Problems) -> Render:
    members: list[tuple[str, Render]] = []
    for name, value in mapping.items():
        with problems.within(name):
            members.append((name, _value(value, problems)))

    def render(event: Json) -> Found:
        found = ((name, member(event)) for name, member in members)
        return {name: value for name, value in found if value is not MISSING}

    return render


def _list(mapping: Sequence[Json], problems: Problems) -> Render:
    items: list[Render] = []
    for number, item in enumerate(mapping):
        with problems.within(str(number)):
            items.append(_value(item, problems))

    def render(event: Json) -> Found:
        found = [item(event) for item in items]
        return [None if value is MISSING else value for value in found]

    return render


def _directive(mapping: Mapping[str, Json], problems: Problems) -> Render:
    names = [name for name in mapping if name != _METADATA]
    if len(names) > 1:
        problems.add(f"should only have one @-prefixed key but it has {len(names)} keys.")
        return _nothing
    [name] = names
    compiled = _DIRECTIVES.get(name)
    if compiled is None:
        problems.add(f"has an invalid directive: {name}.")
        return _nothing
    with problems.within(name):
        return compiled(mapping[name], problems)


def _is_directive(mapping: Json) -> bool:
    return isinstance(mapping, Mapping) and any(name.startswith("@") for name in mapping)


def _real_kind(value: Json) -> str:
    return Problems.kind(value)


def _said(mapping: Json, problems: Problems) -> Render:
    """Compile what has to be text, or a directive that makes some."""
    if not isinstance(mapping, str) and not _is_directive(mapping):
        problems.is_not("a string or a mapping directive", mapping)
        return _nothing
    return _value(mapping, problems)


def _path(mapping: Json, problems: Problems) -> Render:
    if isinstance(mapping, str):
        return path(mapping).find
    render = _said(mapping, problems)

    def find(event: Json) -> Found:
        said = render(event)
        return path(said).find(event) if isinstance(said, str) else MISSING

    return find


def _template(mapping: Json, problems: Problems) -> Render:
    render = _said(mapping, problems)

    def fill(event: Json) -> Found:
        def found(field: re.Match[str]) -> str:
            value = path(field[1]).find(event)
            return "" if value is MISSING or value is None else text(value)

        template = render(event)
        return _FIELD.sub(found, template) if isinstance(template, str) else MISSING

    return fill


def _if(mapping: Json, problems: Problems) -> Render:
    told = problems.object(mapping)
    asked = next((name for name in ("exists", "blank") if name in told), None)
    if asked is None:
        problems.add('should have field "exists" or "blank" but it doesn\'t.')
        return _nothing
    condition, then, otherwise = (_member(told, name, problems) for name in (asked, "then", "else"))
    absent: tuple[Found, ...] = (MISSING, None) if asked == "exists" else (MISSING, None, "")

    def choose(event: Json) -> Found:
        value = condition(event)
        is_absent = any(value is one or (isinstance(value, str) and value == one) for one in absent)
        return otherwise(event) if is_absent else then(event)

    return choose


def _member(told: Mapping[str, Json], name: str, problems: Problems) -> Render:
    if name not in told:
        return _nothing
    with problems.within(name):
        return _value(told[name], problems)


def _case(mapping: Json, problems: Problems) -> Render:
    told = problems.object(mapping)
    if told and "operator" not in told:
        problems.add('requires a "operator" key', joined="")
    operator, value = _member(told, "operator", problems), _member(told, "value", problems)

    def cased(event: Json) -> Found:
        found = value(event)
        if not isinstance(found, str):
            return found
        return {"lower": found.lower, "upper": found.upper}.get(str(operator(event)), lambda: found)()

    return cased


def _replace(mapping: Json, problems: Problems) -> Render:
    told = problems.object(mapping)
    problems.has(told, "pattern", "value")
    for name in ("pattern", "replacement", "pattern2", "replacement2"):
        with problems.within(name):
            problems.short(told.get(name, ""), MAX_PATTERN)
    for name in ("ignorecase", "global"):
        with problems.within(name):
            problems.boolean(told.get(name, False))
    flags = re.IGNORECASE if told.get("ignorecase") is True else re.NOFLAG
    count = 1 if told.get("global") is False else 0
    pairs = [
        (re.compile(re.escape(str(told[pattern])), flags), str(told.get(replacement, "")))
        for pattern, replacement in (("pattern", "replacement"), ("pattern2", "replacement2"))
        if told.get(pattern)
    ]
    value = _member(told, "value", problems)

    def replaced(event: Json) -> Found:
        found = value(event)
        if not isinstance(found, str | int | float):
            return found
        said = text(found)
        for pattern, replacement in pairs:
            said = pattern.sub(lambda _, to=replacement: to, said, count=count)  # type: ignore[misc]  # a default of its own
        return said

    return replaced


def _json(mapping: Json, problems: Problems) -> Render:
    told = problems.object(mapping)
    problems.has(told, "value", "mode")
    with problems.within("mode"):
        problems.one_of(told.get("mode"), "encode", "decode")
    value, encodes = _member(told, "value", problems), told.get("mode") == "encode"

    def coded(event: Json) -> Found:
        found = value(event)
        if found is MISSING:
            return found
        if encodes:
            return encoded(found)
        return decoded(found) if isinstance(found, str) else found

    return coded


def _flatten(mapping: Json, problems: Problems) -> Render:
    told = problems.object(mapping)
    problems.has(told, "value", "separator")
    value, separator = _member(told, "value", problems), _member(told, "separator", problems)
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


def _array_path(mapping: Json, problems: Problems) -> Render:
    if not isinstance(mapping, list | tuple):
        problems.is_not("an array", mapping)
        return _nothing
    with problems.within("0"):
        root = (
            _path(mapping[0], problems) if mapping and isinstance(mapping[0], str) else _said(_first(mapping), problems)
        )
    shaped = len(mapping) > 1 and isinstance(mapping[1], Mapping) and bool(mapping[1])
    with problems.within("1"):
        shape = _value(mapping[1], problems) if shaped else _nothing

    def reshaped(event: Json) -> Found:
        found = root(event)
        if not shaped or not isinstance(found, Mapping | list | tuple):
            return found
        items = [found] if isinstance(found, Mapping) else found
        return [None if made is MISSING else made for made in (shape(item) for item in items)]

    return reshaped


def _first(mapping: Sequence[Json]) -> Json:
    return mapping[0] if mapping else None


def _merge(mapping: Json, problems: Problems) -> Render:
    told = problems.object(mapping)
    problems.has(told, "objects", "direction")
    with problems.within("direction"):
        problems.one_of(told.get("direction"), "left", "right")
    objects = told.get("objects")
    if not isinstance(objects, list | tuple):
        with problems.within("objects"):
            problems.is_not("an array", objects)
        return _nothing
    for one in objects:
        if not isinstance(one, Mapping):
            problems.top(f"should be a object or a mapping directive but it is a {Problems.kind(one)}.")
    parts = [_value(one, problems) for one in objects]
    ordered = parts if told.get("direction") == "right" else parts[::-1]

    def merged(event: Json) -> Found:
        found = [part(event) for part in ordered]
        return {name: value for one in found if isinstance(one, Mapping) for name, value in one.items()}

    return merged


def _transform(mapping: Json, problems: Problems) -> Render:
    if _is_directive(mapping):
        problems.add("should be an object but it is a directive.")
        return _nothing
    told = problems.object(mapping)
    problems.has(told, "apply", "mapping")
    apply, then = _member(told, "apply", problems), _member(told, "mapping", problems)

    def transformed(event: Json) -> Found:
        applied = apply(event)
        return then({} if applied is MISSING else applied)

    return transformed


def _exclude_when_null(mapping: Json, problems: Problems) -> Render:
    value = _value(mapping, problems)
    return lambda event: without_nulls(value(event))


_DIRECTIVES: Mapping[str, Callable[[Json, Problems], Render]] = {
    "@path": _path,
    "@template": _template,
    "@literal": _value,
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
