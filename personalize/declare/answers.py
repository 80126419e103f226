"""What a recipe may answer: whatever JSON can say, and msgspec check."""

from types import MappingProxyType
from typing import Any

import msgspec

UNSAYABLE = (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError, NotImplementedError)
"""What encoding a value, or decoding it as what was declared, may raise."""


def encode(answer: object, returns: object) -> msgspec.Raw:
    """Return an answer as JSON; what is sent is what is checked, down to each member; an `object` may be anything.

    Raises:
        UNSAYABLE: it is not what was declared, or no JSON.
    """
    said = msgspec.json.encode(answer, enc_hook=plain)
    msgspec.json.decode(said, type=returns, dec_hook=_anything)
    return msgspec.Raw(said)


def free_json(hint: object) -> dict[str, Any]:
    """Return the JSON Schema of `object`, which a recipe writes for whatever JSON there is.

    Raises:
        TypeError: it is another type that msgspec does not know; says what to write.
    """
    if hint is object:
        return {"description": "Any JSON value."}
    named = getattr(hint, "__name__", hint)
    raise TypeError(f"`{named}` is no type that JSON has; write one that it has, or `object` for any JSON")


def plain(value: object) -> object:
    """Return what msgspec cannot encode by itself as what it can."""
    if isinstance(value, MappingProxyType):
        return dict(value)
    raise NotImplementedError


def _anything(_: type, value: object) -> object:
    """Return what stands for an `object`, the only type that msgspec asks about: others are refused when declared."""
    return value
