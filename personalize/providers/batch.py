"""What was read of a source: its usable items, and how many there were besides. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from personalize.errors import ProviderFailed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batch(Generic[T]):
    """Items in their source's order.

    `left_out` counts the others: unusable, or beyond the cap. `slugs` has the names of categories by their slugs, where
    a source has slugs of its own.
    """

    items: tuple[T, ...]
    left_out: int = 0
    slugs: Mapping[str, str] = field(default_factory=dict)


def batched(found: Iterable[T | None], *, most: int, shown: str) -> Batch[T]:
    """Return the first usable items.

    A document without items is an emptied blog or shop. One that has items of which none can be used is not what it
    was, and must not replace what is good.

    Args:
        found: an item each, `None` for one that cannot be used.
        most: how many are kept.
        shown: what an error calls the document.

    Raises:
        ProviderFailed: there are items, but no usable one.
    """
    items: list[T] = []
    left_out = 0
    for one in found:
        if one is None or len(items) == most:
            left_out += 1
        else:
            items.append(one)
    if left_out and not items:
        raise ProviderFailed(f"{shown} has {left_out} items, and none that can be used")
    return Batch(tuple(items), left_out)
