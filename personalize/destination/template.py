"""Mappings: JSON with `@directives`, by which an event becomes a payload.

`{"user_id": {"@path": "$.id"}, "traits": {"plan": {"@case": {"operator": "lower", "value": {"@path": "$.plan"}}}}}`.
A mapping is compiled once and rendered for each row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from personalize.destination.compiler import Compiler, Render, nothing
from personalize.destination.directives import DIRECTIVES
from personalize.destination.values import Found, Json, kind
from personalize.errors import MappingError

INTERNAL = "__segment_internal_directive"
"""A member beside the fields: what is done with the event before they see it."""


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
            raise MappingError([f"data must be an object, got {kind(event)}"])
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
    compiler = Compiler(DIRECTIVES)
    render = _top(mapping, compiler)
    if compiler.found:
        raise MappingError(compiler.found)
    return Template(render)


def _top(mapping: Json, compiler: Compiler) -> Render:
    """What is no object at the top is taken for one, as JavaScript does: by the numbers of its parts."""
    if isinstance(mapping, Mapping):
        if INTERNAL in mapping:
            rest = {name: value for name, value in mapping.items() if name != INTERNAL}
            return _with_internal(mapping[INTERNAL], rest, compiler)
        return compiler.value(mapping)
    parts = list(mapping) if isinstance(mapping, Sequence) else []
    return compiler.members({str(number): part for number, part in enumerate(parts)})


def _with_internal(internal: Json, rest: Mapping[str, Json], compiler: Compiler) -> Render:
    if not isinstance(internal, Mapping) or set(internal) != {"@transform"}:
        compiler.add(f"{INTERNAL} should be a @transform.")
        return nothing
    told = internal["@transform"]
    return compiler.value({"@transform": {**(told if isinstance(told, Mapping) else {}), "mapping": rest}})
