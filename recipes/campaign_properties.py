"""A profile as a campaign tool takes it: names and plain values."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated

from personalize import AllTraits, recipe

Plain = str | int | float | bool


@recipe("campaign-properties", access="server")
def campaign_properties(
    traits: Annotated[Mapping[str, object], AllTraits()] = MappingProxyType({}),
) -> dict[str, Plain]:
    """Return the traits by their names; parts of objects as `address.city`, lists as texts with commas."""
    return dict(_flat("", traits))


def _flat(name: str, value: object) -> Iterator[tuple[str, Plain]]:
    """Yield a value's plain parts with their names; what is empty has none."""
    if isinstance(value, Mapping):
        for part, inner in value.items():
            yield from _flat(f"{name}.{part}" if name else str(part), inner)
    elif isinstance(value, list):
        if texts := [_text(one) for one in value if isinstance(one, Plain)]:
            yield name, ",".join(texts)
    elif isinstance(value, Plain):
        yield name, value


def _text(value: Plain) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
