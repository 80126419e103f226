"""A recipe: a function from what is known of a profile to content, with declared needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Literal, ParamSpec, TypeVar

import msgspec

from personalize.declare.answers import UNSAYABLE, encode
from personalize.declare.bindings import Binding, bind
from personalize.declare.parameters import Parameter
from personalize.errors import RecipeFailed
from personalize.model import Collection, SectionName, Snapshot
from personalize.needs import Items, Now, Param, ProfileNeed, Wanted, section_of

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)

Access = Literal["public", "verified", "server"]
"""Who may ask: anybody; only a visitor who proves to be the one; only our own servers."""


@dataclass(frozen=True, slots=True, eq=False)
class Recipe(Generic[P, R_co]):
    """A function from what is known of a profile to content, with declared needs. Calling it calls the function.

    `ttl` is in seconds: the greatest age of a profile that the recipe accepts as fresh. `where` is its file and line,
    `template` the file that makes markup of its answer.
    """

    name: str
    function: Callable[P, R_co]
    access: Access
    collection: Collection
    ttl: float
    parameters: tuple[Parameter, ...]
    returns: Any
    where: str
    template: Path | None = None
    wanted: Wanted = field(init=False)
    """What it wants of profiles, for the plan."""
    sections: frozenset[SectionName] = field(init=False)
    """The sections of a profile that it reads."""
    params: Mapping[str, Parameter] = field(init=False)
    """The parameters that a request may set, by name."""
    providers: frozenset[str] = field(init=False)
    """The names of the providers whose items it reads."""
    given: frozenset[str] = field(init=False)
    """The names of the parameters that those items are given to."""
    timed: bool = field(init=False)
    """Whether it reads the clock."""

    def __post_init__(self) -> None:
        needs = tuple(one.need for one in self.parameters if isinstance(one.need, ProfileNeed))
        derived = {
            "wanted": Wanted(self.collection, needs, self.ttl),
            "sections": frozenset(section_of(need) for need in needs),
            "params": {one.name: one for one in self.parameters if isinstance(one.need, Param)},
            "providers": frozenset(one.need.provider for one in self.parameters if isinstance(one.need, Items)),
            "given": frozenset(one.name for one in self.parameters if isinstance(one.need, Items)),
            "timed": any(isinstance(one.need, Now) for one in self.parameters),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)  # the way of a frozen dataclass to fill its derived fields

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function, as its tests do."""
        return self.function(*args, **kwargs)

    def bind(
        self, snapshot: Snapshot, items: Mapping[str, object], params: Mapping[str, object], now: datetime
    ) -> Binding:
        """Fill every need from what is known; a profile need that stays empty keeps its default."""
        return bind(self.parameters, snapshot, items, params, now)

    def answer(self, arguments: Mapping[str, object]) -> msgspec.Raw:
        """Run the function and return its answer as JSON, checked against the declared return type.

        This is the one place where a recipe's code runs, so it catches all that such code may raise, and a cancellation
        or an exit of its own too: one broken recipe must not cost the page the others.

        Raises:
            RecipeFailed: `raised` or `returned`; its cause is the function's own exception.
        """
        function: Callable[..., R_co] = self.function  # its arguments were checked when it was declared
        try:
            result = function(**arguments)
        except BaseException as error:
            raise RecipeFailed("raised") from error
        try:
            return encode(result, self.returns)
        except UNSAYABLE as error:
            raise RecipeFailed("returned") from error
