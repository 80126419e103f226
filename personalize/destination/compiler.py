"""Making mappings ready: JSON in which every `@directive` becomes a function of the event."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from personalize.destination.problems import Problems
from personalize.destination.values import MISSING, Found, Json

Render: TypeAlias = Callable[[Json], Found]
"""Makes a value of an event."""

Directive: TypeAlias = "Callable[[Json, Compiler], Render]"
"""Compiles the argument of one."""

MAX_DEPTH = 64
"""Objects in one another; a mapping is written by hand."""

_METADATA = "_metadata"


def nothing(_: Json) -> Found:
    """Return what is not there: of what could not be compiled, or was not said."""
    return MISSING


def is_directive(mapping: Json) -> bool:
    """Return whether an object says what is to be done, and does not stand for itself."""
    return isinstance(mapping, Mapping) and any(name.startswith("@") for name in mapping)


class Compiler(Problems):
    """Compiles a mapping, part by part, and notes what is wrong on the way.

    Args:
        directives: by their names, with the @.
    """

    def __init__(self, directives: Mapping[str, Directive]) -> None:
        super().__init__()
        self._directives = directives

    def value(self, mapping: Json) -> Render:
        """Compile what may be anything: a directive, an object, a list or a value that stands for itself."""
        if self.depth > MAX_DEPTH:
            self.add(f"should not be deeper than {MAX_DEPTH} objects.")
            return nothing
        match mapping:
            case Mapping() if is_directive(mapping):
                return self._directive(mapping)
            case Mapping():
                return self.members(mapping)
            case str() | int() | float() | None:
                return lambda _: mapping
            case list() | tuple():
                return self._items(mapping)
            case _:
                self.add("should be in quotes: TOML's own dates and times are none of JSON.")
                return nothing

    def members(self, mapping: Mapping[str, Json]) -> Render:
        """Compile an object, member by member; what is not there for an event is left out."""
        compiled = [(name, self.member(mapping, name)) for name in mapping]

        def render(event: Json) -> Found:
            found = ((name, member(event)) for name, member in compiled)
            return {name: value for name, value in found if value is not MISSING}

        return render

    def member(self, mapping: Mapping[str, Json], name: str) -> Render:
        """Compile one member of an object; one that there is not is nothing for every event."""
        if name not in mapping:
            return nothing
        with self.within(name):
            return self.value(mapping[name])

    def said(self, mapping: Json) -> Render:
        """Compile what has to be text, or a directive that makes some."""
        if not isinstance(mapping, str) and not is_directive(mapping):
            self.is_not("a string or a mapping directive", mapping)
            return nothing
        return self.value(mapping)

    def _items(self, mapping: Sequence[Json]) -> Render:
        compiled: list[Render] = []
        for number, item in enumerate(mapping):
            with self.within(str(number)):
                compiled.append(self.value(item))

        def render(event: Json) -> Found:
            found = [item(event) for item in compiled]
            return [None if value is MISSING else value for value in found]

        return render

    def _directive(self, mapping: Mapping[str, Json]) -> Render:
        names = [name for name in mapping if name != _METADATA]
        if len(names) > 1:
            self.add(f"should only have one @-prefixed key but it has {len(names)} keys.")
            return nothing
        [name] = names
        directive = self._directives.get(name)
        if directive is None:
            self.add(f"has an invalid directive: {name}.")
            return nothing
        with self.within(name):
            return directive(mapping[name], self)
