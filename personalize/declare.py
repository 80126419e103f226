"""Declaring a recipe: its parameters are its needs, and their defaults are its fallback."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Generic, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from personalize.errors import BadParameter, RecipeFailed, RecipeLoadError
from personalize.model import Collection, Event, ExternalId, Link, ProfileMetadata, SectionName, Snapshot
from personalize.needs import (
    AllTraits,
    Audiences,
    Events,
    ExternalIds,
    Items,
    Links,
    Metadata,
    Need,
    Now,
    Param,
    ProfileNeed,
    Trait,
    Wanted,
    section_of,
)

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)

Access = Literal["public", "verified", "server"]
"""Who may ask: anybody; only a visitor who proves to be the one; only our own servers."""

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
"""What a recipe may be called."""

RESERVED_NAMES = frozenset({"personalize", "profiles"})
"""Names under `/api/` that are not recipes."""

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

_CHANGEABLE = (dict, list)
_UNIONS = (Union, UnionType)
_UNSAYABLE = (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError, NotImplementedError)
"""What encoding an answer, or decoding it as what was declared, may raise."""
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
            return msgspec.convert(value, self.bounded, strict=strict)
        except msgspec.ValidationError as error:
            raise BadParameter(field or self.name, f"is not valid: {_lowered(str(error))}.") from None


@dataclass(frozen=True, slots=True)
class Binding:
    """A recipe's arguments for one visitor.

    `found` says whether any profile need was filled; `mismatched` names the parameters whose trait was of another type.
    """

    arguments: Mapping[str, object]
    found: bool
    mismatched: tuple[str, ...]


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
    timed: bool = field(init=False)
    """Whether it reads the clock."""

    def __post_init__(self) -> None:
        needs = tuple(one.need for one in self.parameters if isinstance(one.need, ProfileNeed))
        derived = {
            "wanted": Wanted(self.collection, needs, self.ttl),
            "sections": frozenset(section_of(need) for need in needs),
            "params": {one.name: one for one in self.parameters if isinstance(one.need, Param)},
            "providers": frozenset(one.need.provider for one in self.parameters if isinstance(one.need, Items)),
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
        arguments: dict[str, object] = {}
        mismatched: list[str] = []
        found = False
        for one in self.parameters:
            if isinstance(one.need, Items):
                arguments[one.name] = items[one.need.provider]
            elif isinstance(one.need, Now):
                arguments[one.name] = now
            elif isinstance(one.need, Param):
                arguments[one.name] = params.get(one.name, one.default)
            elif (value := _known(one.need, snapshot)) is not None:
                try:
                    arguments[one.name] = _typed(one, value)
                    found = True
                except (msgspec.ValidationError, RecursionError):  # the latter for what is nested without end
                    mismatched.append(one.name)
        return Binding(arguments, found, tuple(mismatched))

    def answer(self, arguments: Mapping[str, object]) -> msgspec.Raw:
        """Run the function and return its answer as JSON, checked against the declared return type.

        This is the one place where a recipe's code runs, so it catches all that such code may raise: one broken recipe
        must not cost the page the others.

        Raises:
            RecipeFailed: `raised` or `returned`; its cause is the function's own exception.
        """
        function: Callable[..., R_co] = self.function  # its arguments were checked when it was declared
        try:
            result = function(**arguments)
        except (Exception, SystemExit) as error:
            raise RecipeFailed("raised") from error
        try:
            answer = msgspec.json.encode(result, enc_hook=plain)
            # What is sent is what is checked, down to each member; an `object` may be anything.
            msgspec.json.decode(answer, type=self.returns, dec_hook=_anything)
        except _UNSAYABLE as error:
            raise RecipeFailed("returned") from error
        return msgspec.Raw(answer)


def recipe(
    name: str,
    *,
    access: Access = "verified",
    ttl: timedelta | None = None,
    collection: Collection = "users",
    template: str | None = None,
) -> Callable[[Callable[P, R_co]], Recipe[P, R_co]]:
    """Declare a function as the recipe served at `/api/{name}`.

    Args:
        name: lowercase words joined by hyphens.
        access: who may ask; `"verified"` unless said otherwise.
        ttl: the greatest age of a profile that this recipe accepts as fresh; `CACHE_TTL` is the ceiling.
        collection: whose profiles it reads, `"users"` or `"accounts"`.
        template: a file beside the recipe's that makes an HTML fragment of the answer, for those who ask for one.

    Raises:
        RecipeLoadError: the declaration is wrong; says where, why, and what to write instead.
    """
    if callable(name):
        raise RecipeLoadError(_place(name), 'give the recipe a name: write @recipe("name")')

    def declare(function: Callable[P, R_co]) -> Recipe[P, R_co]:
        where = _place(function)
        try:
            _check_words(name, access, collection)
            seconds = _seconds(ttl)
            _check_function(function)
            hints = get_type_hints(function, include_extras=True)
            parameters = tuple(_parameter(one, hints) for one in inspect.signature(function).parameters.values())
            returns = _returns(hints)
        except (TypeError, ValueError, NameError, AttributeError, SyntaxError, re.error) as error:
            raise RecipeLoadError(where, f"recipe {name!r}: {error}") from None
        markup = Path(function.__code__.co_filename).with_name(template) if template else None
        return Recipe(name, function, access, collection, seconds, parameters, returns, where, markup)

    return declare


def free_json(hint: object) -> dict[str, Any]:
    """Return the JSON Schema of `object`, which a recipe writes where it answers whatever JSON there is.

    Raises:
        NotImplementedError: as msgspec asks of a hook that knows nothing of a type.
    """
    if hint is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError


def plain(value: object) -> object:
    """Return what msgspec cannot encode by itself as what it can."""
    if isinstance(value, MappingProxyType):
        return dict(value)
    raise NotImplementedError


def _place(function: object) -> str:
    """Return file and line of a function, or of whatever was decorated in its place."""
    if inspect.isfunction(function):
        return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"
    return function.where if isinstance(function, Recipe) else repr(function)


def _check_words(name: str, access: str, collection: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError("a name is lowercase words joined by hyphens, like 'recommended-posts'")
    if name in RESERVED_NAMES:
        raise ValueError(f"the names {' and '.join(sorted(RESERVED_NAMES))} are taken by routes of the service")
    if access not in get_args(Access):
        raise ValueError(f"access is one of {', '.join(get_args(Access))}, not {access!r}")
    if collection not in get_args(Collection):
        raise ValueError(f"collection is one of {', '.join(get_args(Collection))}, not {collection!r}")


def _seconds(ttl: object) -> float:
    if ttl is None:
        return float("inf")
    if not isinstance(ttl, timedelta) or ttl < timedelta():
        raise TypeError("ttl is a duration, like `timedelta(minutes=5)`")
    return ttl.total_seconds()


def _check_function(function: object) -> None:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError("a recipe is a plain function, not async: it does no I/O; what needs I/O is a provider")
    if not inspect.isfunction(function) or inspect.isgeneratorfunction(function):
        raise TypeError("a recipe is a plain function that returns its answer, decorated once")


def _parameter(declared: inspect.Parameter, hints: Mapping[str, Any]) -> Parameter:
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
        msgspec.json.schema(one.type)  # raises TypeError for a type that no JSON value can have
    if isinstance(one.need, Param):
        _check_param(one, one.need)


def _check_param(one: Parameter, need: Param) -> None:
    if one.name in RESERVED_PARAMETERS:
        raise ValueError(f"parameter {one.name!r} would shadow the request's own {one.name!r}: choose another name")
    if not _is_scalar(one.type):
        raise TypeError(
            f"parameter {one.name!r} comes from a query string: str, int, float, bool, a Literal or optional"
        )
    bounded = _bounded(one.type, need)
    msgspec.json.Decoder(bounded)  # raises TypeError for bounds that do not fit the type
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


def _returns(hints: Mapping[str, Any]) -> object:
    if "return" not in hints:
        raise TypeError("the return annotation is missing, like `-> list[str]`: it becomes the answer's schema")
    msgspec.json.schema(hints["return"], schema_hook=free_json)  # raises TypeError for what JSON cannot say
    return hints["return"]


def _anything(hint: type, value: object) -> object:
    if hint is object:
        return value
    raise NotImplementedError


def _known(need: ProfileNeed, snapshot: Snapshot) -> object:
    """Return what a snapshot says for a need, or `None` where it says nothing."""
    section = snapshot.sections.get(section_of(need))
    content: Any = section and section.content
    if not content:
        return None
    if isinstance(need, Trait):
        return content.get(need.name)
    if isinstance(need, Events):
        return tuple(event for event in content if not need.names or event.name in need.names)[: need.limit] or None
    return content


def _typed(one: Parameter, value: Any) -> object:  # noqa: ANN401 -- what the need is filled with
    """Return what a need is filled with, so that nothing a recipe does to it is seen by another, or by the cache."""
    if isinstance(one.need, Trait):
        return msgspec.convert(_own(value), one.type)
    if isinstance(one.need, AllTraits):
        return _unchangeable(value)
    if isinstance(one.need, Events):
        return tuple(Event(it.name, it.timestamp, _unchangeable(it.properties), it.message_id) for it in value)
    return value


def _unchangeable(members: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a view of members that cannot be changed; those that could be are copies."""
    own = {name: _own(value) for name, value in members.items() if isinstance(value, _CHANGEABLE)}
    return MappingProxyType({**members, **own} if own else members)


def _own(value: Any) -> Any:  # noqa: ANN401 -- any JSON
    """Return a copy of a JSON value, if it is one that can be changed."""
    return msgspec.json.decode(msgspec.json.encode(value)) if isinstance(value, _CHANGEABLE) else value


def _written(hint: Any) -> str:  # noqa: ANN401 -- a type, which has no type
    """Return a type as one writes it."""
    shown = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", shown)


def _lowered(sentence: str) -> str:
    """Return a sentence of msgspec's to stand inside one of ours."""
    return sentence[:1].lower() + sentence[1:]
