"""Declarations: which computed traits and audiences there are, as `computed.toml` says."""

import hashlib
import tomllib
from importlib.resources import files
from typing import Any, TypeVar

import msgspec

from personalize.sandbox.aggregations import AGGREGATES
from personalize.sandbox.conditions import Condition, EventCondition, Happened, History, TraitCondition
from personalize.sandbox.inputs import Input
from personalize.sandbox.store import Collection, TraitClass

FILE = "computed.toml"
COUNT = "count"

T = TypeVar("T")


class InvalidDeclaration(ValueError):
    """A declaration cannot be read. The message names the entry and the field."""


class ComputedTrait(Happened, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A trait that an aggregation makes of events, or of what they have in a property; null counts as not there."""

    aggregation: str
    collection: Collection = "users"
    property_: str | None = msgspec.field(name="property", default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.aggregation not in (COUNT, *AGGREGATES):
            raise ValueError(f"`aggregation` has to be one of {', '.join((COUNT, *AGGREGATES))}")
        if (self.aggregation == COUNT) != (self.property_ is None):
            raise ValueError("`property` is needed by every `aggregation` but count, which takes none")

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What it is worked out from."""
        return (self.input,)

    def value(self, history: History, _key: str) -> Any:  # noqa: ANN401 - a trait's value is any JSON value
        """Return the trait's value for a profile; None if it has none."""
        if self.property_ is None:
            return self.times(history) or None
        values = [event.get(self.property_) for event in self.found(history)]
        return AGGREGATES[self.aggregation]([value for value in values if value is not None])


class Audience(msgspec.Struct, frozen=True):
    """Profiles for which all of some conditions hold, and any of some others if there are others."""

    all: tuple[Condition, ...]
    any: tuple[Condition, ...]
    collection: Collection = "users"

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What it is worked out from."""
        return tuple(condition.input for condition in (*self.all, *self.any))

    def value(self, history: History, key: str) -> bool | None:
        """Return whether a profile is in it; False for one that left, and None for one that never was in it.

        The documentation shows `false` among the traits of a person who is known well, and no audience at all among
        those of Bob, which are all that he has: an audience becomes a trait when somebody enters it.
        """
        inside = all(condition.holds(history) for condition in self.all)
        if inside and (not self.any or any(condition.holds(history) for condition in self.any)):
            return True
        return None if history.trait(key) is None else False


class Declared(msgspec.Struct, frozen=True):
    """A computed trait or an audience, and the key of the trait that holds it."""

    key: str
    rule: ComputedTrait | Audience

    @property
    def input(self) -> Input:
        """What others are worked out from."""
        return Input("trait", self.key)

    @property
    def class_(self) -> TraitClass:
        """As the Profile API's `class` says."""
        return "audience" if isinstance(self.rule, Audience) else "computed_trait"

    @property
    def computation_id(self) -> str:
        """An id of Segment's look that is the same after every start."""
        digest = hashlib.blake2s(self.key.encode(), digest_size=14).hexdigest()[:27]
        return f"{'aud' if self.class_ == 'audience' else 'tra'}_{digest}"


class _Audience(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    all: list[dict[str, Any]] = []
    any: list[dict[str, Any]] = []
    collection: Collection = "users"

    def __post_init__(self) -> None:
        if not (self.all or self.any):
            raise ValueError("needs a condition in `all` or `any`")


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    computed_traits: dict[str, dict[str, Any]] = {}
    audiences: dict[str, dict[str, Any]] = {}


def load() -> tuple[Declared, ...]:
    """Return the declarations that the sandbox comes with."""
    return read(files(__package__).joinpath(FILE).read_text(encoding="utf-8"))


def read(text: str) -> tuple[Declared, ...]:
    """Return the declarations of a TOML text, each after those that it is worked out from.

    Raises:
        InvalidDeclaration: there is something in it that cannot be meant.
    """
    try:
        file = _converted(tomllib.loads(text), _File, FILE)
    except tomllib.TOMLDecodeError as error:
        raise InvalidDeclaration(f"{FILE} is not TOML: {error}.") from None
    traits = [
        Declared(key, _converted(entry, ComputedTrait, f"computed_traits.{key}"))
        for key, entry in file.computed_traits.items()
    ]
    audiences = [Declared(key, _audience(entry, f"audiences.{key}")) for key, entry in file.audiences.items()]
    _check_order(traits, audiences)
    return (*traits, *audiences)


def _check_order(traits: list[Declared], audiences: list[Declared]) -> None:
    """Check that no audience needs one that is worked out after it, and that no key is declared twice."""
    later = {audience.input for audience in audiences}
    for trait in traits:
        if trait.input in later:
            raise InvalidDeclaration(f"audiences.{trait.key}: there is a computed trait of that name.")
    for audience in audiences:
        for needed in later.intersection(audience.rule.inputs):
            raise InvalidDeclaration(f"audiences.{audience.key}: `trait` {needed.name} has to be declared further up.")
        later.remove(audience.input)


def _audience(entry: dict[str, Any], place: str) -> Audience:
    written = _converted(entry, _Audience, place)
    return Audience(
        tuple(_condition(one, f"{place}.all[{number}]") for number, one in enumerate(written.all)),
        tuple(_condition(one, f"{place}.any[{number}]") for number, one in enumerate(written.any)),
        written.collection,
    )


def _condition(entry: dict[str, Any], place: str) -> Condition:
    if ("event" in entry) == ("trait" in entry):
        raise InvalidDeclaration(f"{place}: needs either `event` or `trait`.")
    return _converted(entry, EventCondition, place) if "event" in entry else _converted(entry, TraitCondition, place)


def _converted(value: Any, shape: type[T], place: str) -> T:  # noqa: ANN401 - whatever TOML holds
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise InvalidDeclaration(f"{place}: {error}.") from None
