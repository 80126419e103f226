"""Inputs: what an arriving call brings, and what a computed trait or audience is worked out from."""

from typing import Literal, NamedTuple


class Input(NamedTuple):
    """Events of a name, or the trait of a key."""

    kind: Literal["event", "trait"]
    name: str
