"""How a recipe says what it needs, as its file has it."""

import dataclasses
from collections.abc import Iterator

import msgspec

from personalize.declare.parameters import NO_DEFAULT, Parameter
from personalize.needs import MAX_EVENTS, Need


def need(one: Need) -> str:
    """Return a need as it is written: `Events("Product Viewed", limit=20)`."""
    return f"{type(one).__name__}({', '.join(_arguments(one))})"


def param(one: Parameter) -> str:
    """Return a parameter of the request with its default: `limit=5`."""
    return one.name if one.default is NO_DEFAULT else f"{one.name}={_value(one.default)}"


def _arguments(one: Need) -> Iterator[str]:
    for field in dataclasses.fields(one):
        value = getattr(one, field.name)
        if isinstance(value, tuple):
            yield from map(_value, value)
        elif isinstance(value, str) and not field.kw_only:
            yield _value(value)
        elif value is not None and (field.name, value) != ("limit", MAX_EVENTS):
            yield f"{field.name}={_value(value)}"


def _value(value: object) -> str:
    return msgspec.json.encode(value).decode()
