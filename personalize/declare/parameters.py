"""A recipe's parameters: each is one need, with its type and its default."""

import inspect
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from personalize.declare.answers import free_json
from personalize.errors import BadParameter
from personalize.model import Event, ExternalId, Link, ProfileMetadata
from personalize.needs import (
    AllTraits,
    Audiences,
    Events,
    ExternalIds,
    Links,
    Metadata,
    Need,
    Now,
    Param,
    ProfileNeed,
    Trait,
)

RESERVED_PARAMETERS = frozenset(
    {"user_id", "anonymous_id", "group_id", "external_id", "recipes", "recipe", "timeout_ms", "id", "name", "params"}
)
"""Query parameters that mean something to every recipe."""

NO_DEFAULT = inspect.Parameter.empty

_RECEIVED: Mapping[type[Need], tuple[Any, ...]] = {
    AllTraits: (Mapping[str, Any], Mapping[str, object]),
    Audiences: (tuple[str, ...], Sequence[str]),
    Events: (tuple[Event, ...], Sequence[Event]),
    ExternalIds: (tuple[ExternalId, ...], Sequence[ExternalId]),
    Links: (tuple[Link, ...], Sequence[Link]),
    Metadata: (ProfileMetadata | None,),
    Now: (datetime,),
}
"""What a parameter receives for a need, where that is not its own choice; the first one is what is advised."""

_UNIONS = (Union, UnionType)
_SCALARS = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a recipe: its need, its type, and its default (`NO_DEFAULT` where it has none)."""

    name: str
    need: Need
    type: Any
    default: Any

    @property
    def bounded(self) -> Any:  # noqa: ANN401 -- a type, which has no type
        """The type of a request's parameter, within its bounds."""
        assert isinstance(self.need, Param)  # noqa: S101 -- a caller's mistake, not a visitor's
        return _bounded(self.type, self.need)

    def converted(self, value: object, *, field: str | None = None, strict: bool = False) -> object:
        """Return the value of a request parameter: of a text, or, if `strict`, of a JSON value.

        Raises:
            BadParameter: it is not of the type or out of bounds; names the field, the parameter's own name if left out.
        """
        try:
            converted = msgspec.convert(value, self.bounded, strict=strict)
        except msgspec.ValidationError as error:
            raise BadParameter(field or self.name, f"is not valid: {_lowered(str(error))}.") from None
        if isinstance(converted, float) and not math.isfinite(converted):  # `nan` and `inf`, which no JSON says
            raise BadParameter(field or self.name, "is not valid: expected a number.")
        return converted


def declared_parameter(declared: inspect.Parameter, hints: Mapping[str, Any]) -> Parameter:
    """Return a parameter as it was declared; raise `TypeError` or `ValueError` saying what to write instead."""
    name, hint = declared.name, hints.get(declared.name)
    if declared.kind in {declared.VAR_POSITIONAL, declared.VAR_KEYWORD, declared.POSITIONAL_ONLY}:
        raise TypeError(f"parameter {name!r} must be a plain named one")
    found = [one for one in getattr(hint, "__metadata__", ()) if isinstance(one, Need)]
    if len(found) != 1:
        raise TypeError(f"parameter {name!r} must declare one need, like `{name}: Annotated[int, Param(ge=1)] = 5`")
    parameter = Parameter(name, found[0], get_args(hint)[0], declared.default)
    _check_parameter(parameter)
    return parameter


def _check_parameter(one: Parameter) -> None:
    if isinstance(one.need, ProfileNeed) and one.default is NO_DEFAULT:
        empty = "()" if get_origin(one.type) in {tuple, Sequence} else "None"
        raise TypeError(f"parameter {one.name!r} needs a default, like `= {empty}`, for when the profile is not known")
    received = _RECEIVED.get(type(one.need))
    if received and one.type not in received:
        raise TypeError(f"parameter {one.name!r} receives `{_written(received[0])}`: write that as its type")
    if isinstance(one.need, Trait):
        _check_type(one, one.type)
        _check_fallback(one)
    if isinstance(one.need, Param):
        _check_param(one, one.need)


def _check_type(one: Parameter, hint: Any) -> None:  # noqa: ANN401 -- a type, which has no type
    """Refuse a type that no JSON value can have, or that its bounds do not fit."""
    try:
        msgspec.json.schema(hint, schema_hook=free_json)
        msgspec.json.Decoder(hint)
    except TypeError as error:
        raise TypeError(f"parameter {one.name!r}: {error}") from None


def _check_fallback(one: Parameter) -> None:
    """Refuse a default that is not of the type: the function would be called with it for whoever is not known."""
    try:
        msgspec.convert(one.default, one.type, from_attributes=True)
    except msgspec.ValidationError as error:
        mended = f"write `{_written(one.type)} | None`" if one.default is None else "give it one that is"
        raise TypeError(f"the default of parameter {one.name!r} is not of its type: {mended} ({error})") from None


def _check_param(one: Parameter, need: Param) -> None:
    if one.name in RESERVED_PARAMETERS:
        raise ValueError(f"parameter {one.name!r} would shadow the request's own {one.name!r}: choose another name")
    if not _is_scalar(one.type):
        raise TypeError(
            f"parameter {one.name!r} comes from a query string: str, int, float, bool, a Literal or optional"
        )
    bounded = _bounded(one.type, need)
    _check_type(one, bounded)
    try:
        if one.default is not NO_DEFAULT:
            msgspec.convert(one.default, bounded)
    except msgspec.ValidationError as error:
        raise ValueError(f"the default of parameter {one.name!r} breaks its own bounds: {error}") from None


def _bounded(hint: Any, need: Param) -> Any:  # noqa: ANN401 -- a type, which has no type
    """Return a type within a parameter's bounds; that it may be absent is no bound's business."""
    members = get_args(hint) if get_origin(hint) in _UNIONS else (hint,)
    bounded = tuple(one if one is type(None) else Annotated[one, need.meta()] for one in members)
    return Union[bounded]  # noqa: UP007 -- of as many members as there are


def _is_scalar(hint: object) -> bool:
    if get_origin(hint) in _UNIONS:
        return all(_is_scalar(one) for one in get_args(hint))
    return hint in _SCALARS or get_origin(hint) is Literal


def _written(hint: Any) -> str:  # noqa: ANN401 -- a type, which has no type
    """Return a type as one writes it."""
    shown = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", shown)


def _lowered(sentence: str) -> str:
    """Return a sentence of msgspec's to stand inside one of ours."""
    return sentence[:1].lower() + sentence[1:]
