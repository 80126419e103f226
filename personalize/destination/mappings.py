"""A file of mappings: where rows come from, what is made of them, and where that goes.

name = "Warehouse to profiles"
endpoint_region = "north_america"

[models.people]
file = "people.csv"
key = ["user_id"]

[[mappings]]
name = "Plans"
model = "people"
action = "identify"

[mappings.fields]
user_id = { "@path" = "$.user_id" }
traits = { plan = { "@path" = "$.plan" } }
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from personalize.destination.actions import ACTIONS, SPACE, Action
from personalize.destination.conditions import Condition
from personalize.destination.fql import parse
from personalize.destination.lines import Lines, Place
from personalize.destination.template import Template, compile_mapping
from personalize.errors import MappingError, QueryError

REGIONS = {"north_america": "https://api.segment.io/v1", "europe": "https://events.eu1.segmentapis.com/v1"}
"""Segment's endpoints; the workspace says which it is in."""

NO_REGION = "A valid endpoint must be selected. Please check your Segment settings."
MAX_MAPPINGS = 50
"""Of one destination, as Segment has it."""

TOP = ("name", "endpoint_region", "models", "mappings")
OF_MODEL = ("file", "query", "key")
OF_MAPPING = ("name", "model", "action", "enabled", "trigger", "fields")


@dataclass(frozen=True, slots=True)
class Model:
    """Rows, by a name.

    Args:
        name: what mappings call it.
        file: where they are, if it is that.
        query: what a database is asked, if it is that.
        key: the columns that tell one row from another; none takes the whole row.
    """

    name: str
    file: Path | None
    query: str | None
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowMapping:
    """What is made of a model's rows; `names_space` if it says itself which Profile space they are for.

    `has_usual_trigger` if nobody wrote one: the action's own stands for it, and is about the action and no column.
    """

    name: str
    model: str
    action: Action
    trigger: Condition | None
    template: Template
    names_space: bool
    has_usual_trigger: bool = False


@dataclass(frozen=True, slots=True)
class Destination:
    """A file of mappings, read.

    Args:
        name: its own.
        url: of the Tracking API, with `/v1`.
        models: by their names.
        mappings: those that are enabled, in order.
        disabled: how many are not.
    """

    name: str
    url: str
    models: Mapping[str, Model]
    mappings: tuple[RowMapping, ...]
    disabled: int = 0


def read(path: Path) -> Destination:
    """Return what a file says.

    Raises:
        MappingError: with everything that is wrong with it, each with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise MappingError([f"{path} cannot be read: {reason}."]) from None
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MappingError([f"{path}: {error}."]) from None
    return _Reader(path, Lines(text)).destination(told)


class _Reader:
    def __init__(self, path: Path, lines: Lines) -> None:
        self._path = path
        self._lines = lines
        self._problems: list[tuple[int, str]] = []

    def destination(self, told: dict[str, Any]) -> Destination:
        """Return what is told, or raise with all that is wrong."""
        self._known((), told, TOP)
        name = self._text((), told, "name") or ""
        region = told.get("endpoint_region", "north_america")
        if not isinstance(region, str) or region not in REGIONS:
            self._add(("endpoint_region",), f"{NO_REGION} It is one of {', '.join(REGIONS)}.")
        models = {name: self._model(name, one) for name, one in self._tables(told, "models").items()}
        listed = told.get("mappings", [])
        if not isinstance(listed, list) or not listed:
            self._add(("mappings",), "there is no mapping: write one under [[mappings]].")
            listed = []
        if len(listed) > MAX_MAPPINGS:
            self._add(("mappings",), f"there are {len(listed)} mappings; a destination has {MAX_MAPPINGS} at most.")
        for number, one in enumerate(listed):
            if not isinstance(one, dict):
                self._add(("mappings", number), "a mapping is a table: write it under [[mappings]].")
        mappings = [self._mapping(number, one, models) for number, one in enumerate(listed) if isinstance(one, dict)]
        self._distinct(listed)
        if self._problems:
            raise MappingError([f"{self._path}:{line}: {says}" for line, says in sorted(self._problems)])
        enabled = tuple(one for one in mappings if one is not None)
        return Destination(name, REGIONS[region], models, enabled, len(mappings) - len(enabled))

    def _model(self, name: str, told: dict[str, Any]) -> Model:
        place = ("models", name)
        self._known(place, told, OF_MODEL)
        file, query = self._text(place, told, "file"), self._text(place, told, "query")
        if (file is None) == (query is None):
            self._add(place, f"the model `{name}` needs either a `file` or a `query`.")
        key = told.get("key", [])
        if not isinstance(key, list) or not all(isinstance(column, str) for column in key):
            self._add((*place, "key"), "`key` has to be a list of columns.")
            key = []
        return Model(name, None if file is None else self._path.parent / file, query, tuple(key))

    def _mapping(self, number: int, told: dict[str, Any], models: Mapping[str, Model]) -> RowMapping | None:
        place = ("mappings", number)
        self._known(place, told, OF_MAPPING)
        name, model = (self._text(place, told, one, required=True) or "" for one in ("name", "model"))
        if model and model not in models:
            self._add((*place, "model"), f"there is no model `{model}`{_suggested(model, models)}")
        action = self._action(place, told)
        enabled = told.get("enabled", True)
        if not isinstance(enabled, bool):
            self._add((*place, "enabled"), "`enabled` has to be true or false.")
        trigger = self._trigger(place, told, action)
        template = self._fields(place, told, action)
        if action is None or template is None or not enabled:
            return None
        return RowMapping(
            name, model, action, trigger, template, SPACE.name in told["fields"], told.get("trigger") is None
        )

    def _action(self, place: Place, told: dict[str, Any]) -> Action | None:
        name = self._text(place, told, "action", required=True)
        if name is None:
            return None
        if name not in ACTIONS:
            self._add((*place, "action"), f"there is no action `{name}`{_suggested(name, ACTIONS)}")
        return ACTIONS.get(name)

    def _trigger(self, place: Place, told: dict[str, Any], action: Action | None) -> Condition | None:
        query = self._text(place, told, "trigger")
        if query is None:
            query = action.trigger if action else None
        try:
            return None if query is None else parse(query)
        except QueryError as error:
            self._add((*place, "trigger"), f"the trigger is wrong {error}")
            return None

    def _fields(self, place: Place, told: dict[str, Any], action: Action | None) -> Template | None:
        fields = told.get("fields")
        if not isinstance(fields, dict) or not fields:
            self._add(place, "there are no fields: write them under [mappings.fields].")
            return None
        if action is not None:
            names = [field.name for field in action.fields]
            self._known((*place, "fields"), fields, names)
            for field in action.fields:
                if field.required and field is not SPACE and field.name not in fields:
                    self._add((*place, "fields"), f"the field `{field.name}` is required for {action.title}.")
        try:
            return compile_mapping(fields)
        except MappingError as error:
            for problem in error.problems:
                where = problem[1:].split(" ", 1)[0].split("/")
                self._add((*place, "fields", *where), f"in the fields, {problem}")
            return None

    def _distinct(self, listed: list[Any]) -> None:
        names = [one.get("name") for one in listed if isinstance(one, dict)]
        for number, name in enumerate(names):
            if name is not None and name in names[:number]:
                self._add(
                    ("mappings", number, "name"), f"there is a mapping `{name}` already: what was sent goes by it."
                )

    def _tables(self, told: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
        found = told.get(name)
        if not isinstance(found, dict) or not found:
            self._add((name,), f"there is no model: write one under [{name}.people].")
            return {}
        for key, value in found.items():
            if not isinstance(value, dict):
                self._add((name, key), f"`{key}` has to be a table: write it under [{name}.{key}].")
        return {key: value for key, value in found.items() if isinstance(value, dict)}

    def _known(self, place: Place, told: Iterable[str], names: Iterable[str]) -> None:
        for name in told:
            if name not in names:
                self._add((*place, name), f"there is no `{name}` here{_suggested(name, names)}")

    def _text(self, place: Place, told: dict[str, Any], name: str, *, required: bool = False) -> str | None:
        value = told.get(name)
        if value is None and not required:
            return None
        if not isinstance(value, str) or not value.strip():
            self._add((*place, name), f"`{name}` has to be a text." if value is not None else f"`{name}` is missing.")
            return None
        return value

    def _add(self, place: Place, says: str) -> None:
        self._problems.append((self._lines.at(place), says))


def _suggested(name: str, names: Iterable[str]) -> str:
    """Return the end of a sentence that says what may have been meant."""
    known = sorted(names)
    close = difflib.get_close_matches(name, known, 1)
    if close:
        return f": did you mean `{close[0]}`?"
    return f": it is one of {', '.join(known)}." if known else "."
