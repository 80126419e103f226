"""Recipes with every kind of parameter and answer, to be described."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Generic, Literal, TypedDict, TypeVar

from msgspec import Struct

from personalize import Now, Param, Trait, recipe

T = TypeVar("T")


class Pair(Struct, Generic[T]):
    """Two of a kind."""

    first: T
    second: T | None = None


class Problem(Struct):
    """Not the service's own."""

    note: str


@dataclass
class Point:
    """Somewhere."""

    x: int
    y: float = 0.5


class Label(TypedDict, total=False):
    """A name, perhaps."""

    name: str


class Shapes(Struct):
    """Everything that has a shape."""

    pairs: list[Pair[int]]
    points: Pair[Point]
    problem: Problem
    label: Label
    when: datetime
    data: object = None


@recipe("kinds", access="public")
def kinds(
    word: Annotated[str, Param(min_length=2, max_length=5, pattern="^[a-z]*$", description="A short word.")],
    on: Annotated[bool, Param()] = False,  # noqa: FBT002 -- a parameter of a request, and given by name
    ratio: Annotated[float, Param(ge=0.0, le=1.0)] = 0.5,
    size: Annotated[Literal["small", "large"], Param()] = "small",
    many: Annotated[int | None, Param(ge=0)] = None,
    first_name: Annotated[str, Trait("first_name")] = "you",
) -> dict[str, object]:
    """Say back what was asked.

    It is of no use but to be described.
    """
    return {"word": word, "on": on, "ratio": ratio, "size": size, "many": many, "first_name": first_name}


@recipe("shapes", access="verified")
def shapes(now: Annotated[datetime, Now()]) -> Shapes:
    """Answer everything that has a shape."""
    return Shapes([Pair(1)], Pair(Point(1), Point(2)), Problem("none"), {"name": "a"}, now, [1, {"a": None}])


@recipe("plan", access="server", collection="accounts")
def plan(name: Annotated[str, Trait("plan")] = "none") -> str:
    """Name an account's plan."""
    return name
