"""Filling a recipe's parameters with what is known of a visitor."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from personalize.declare.parameters import Parameter
from personalize.model import Event, Snapshot
from personalize.needs import AllTraits, Events, Items, Now, Param, ProfileNeed, Trait, section_of

_CHANGEABLE = (dict, list, set)


class Binding(Struct, frozen=True):
    """A recipe's arguments for one visitor.

    `found` says whether any profile need was filled; `mismatched` names the parameters whose trait was of another type.
    """

    arguments: Mapping[str, object]
    found: bool
    mismatched: tuple[str, ...]


def bind(
    parameters: Sequence[Parameter],
    snapshot: Snapshot,
    items: Mapping[str, object],
    params: Mapping[str, object],
    now: datetime,
) -> Binding:
    """Fill every need from what is known; a profile need that stays empty keeps its default."""
    arguments = _own_defaults(parameters)
    mismatched: list[str] = []
    found = False
    for one in parameters:
        if isinstance(one.need, Items):
            arguments[one.name] = items[one.need.provider]
        elif isinstance(one.need, Now):
            arguments[one.name] = now
        elif isinstance(one.need, Param):
            arguments[one.name] = params.get(one.name, one.default)
        elif (value := _known(one.need, snapshot)) is not None:
            try:
                arguments[one.name] = _typed(one, value)
                found = True
            except (msgspec.ValidationError, RecursionError):  # the latter for what is nested without end
                mismatched.append(one.name)
    return Binding(arguments, found, tuple(mismatched))


def _own_defaults(parameters: Sequence[Parameter]) -> dict[str, object]:
    """Return copies of the defaults that can be changed: what one visitor's answer adds to one, the next would see."""
    return {one.name: deepcopy(one.default) for one in parameters if isinstance(one.default, _CHANGEABLE)}


def _known(need: ProfileNeed, snapshot: Snapshot) -> object:
    """Return what a snapshot says for a need, or `None` where it says nothing."""
    section = snapshot.sections.get(section_of(need))
    content: Any = section and section.content
    if not content:
        return None
    if isinstance(need, Trait):
        return content.get(need.name)
    if isinstance(need, Events):
        return tuple(event for event in content if not need.names or event.name in need.names)[: need.limit] or None
    return content


def _typed(one: Parameter, value: Any) -> object:  # noqa: ANN401 -- what the need is filled with
    """Return what a need is filled with, so that nothing a recipe does to it is seen by another, or by the cache."""
    if isinstance(one.need, Trait):
        return msgspec.convert(_own(value), one.type)
    if isinstance(one.need, AllTraits):
        return _unchangeable(value)
    if isinstance(one.need, Events):
        return tuple(Event(it.name, it.timestamp, _unchangeable(it.properties), it.message_id) for it in value)
    return value


def _unchangeable(members: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a view of members that cannot be changed; those that could be are copies."""
    own = {name: _own(value) for name, value in members.items() if isinstance(value, _CHANGEABLE)}
    return MappingProxyType({**members, **own} if own else members)


def _own(value: Any) -> Any:  # noqa: ANN401 -- any JSON
    """Return a copy of a JSON value, if it is one that can be changed."""
    return msgspec.json.decode(msgspec.json.encode(value)) if isinstance(value, _CHANGEABLE) else value
