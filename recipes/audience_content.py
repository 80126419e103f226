"""What a visitor sees in one place of a page, by the audiences that they are in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from personalize import Audiences, Items, Variants, recipe


@dataclass(frozen=True)
class Shown:
    """A variant as browsers get it: which audience it is for is none of the visitor's business."""

    name: str
    content: Mapping[str, object]


@recipe("audience-content", access="verified")
def audience_content(
    variants: Annotated[Variants, Items("variants")],
    audiences: Annotated[tuple[str, ...], Audiences()] = (),
) -> Shown | None:
    """Return the first variant whose audience the visitor is in, else the one for everybody."""
    variant = variants.of(audiences)
    return None if variant is None else Shown(variant.name, variant.content)
