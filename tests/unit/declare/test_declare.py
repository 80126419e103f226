"""Declaring a recipe: what is refused and how, what a visitor's arguments are, and what counts as an answer."""

import asyncio
import copy
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from textwrap import dedent
from types import MappingProxyType
from typing import Annotated, Any, Literal

import pytest

from personalize import (
    AllTraits,
    Audiences,
    Event,
    Events,
    ExternalId,
    ExternalIds,
    Items,
    Link,
    Links,
    Metadata,
    Now,
    Param,
    Post,
    Product,
    ProfileMetadata,
    Trait,
    recipe,
)
from personalize.declare import NO_DEFAULT, Binding, Recipe
from personalize.errors import BadParameter, RecipeFailed, RecipeLoadError
from personalize.model import AnySection, EventHistory, Section, SectionName, Snapshot, Traits

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
IMPORTS = """\
from datetime import datetime, timedelta
from typing import Annotated, Any
from personalize import *

"""
LINE = IMPORTS.count("\n") + 1
"""Where a declaration under the imports begins."""


def executed(source: str) -> dict[str, Any]:
    """Execute a recipe's file, as loading does, and return what it defines."""
    names: dict[str, Any] = {"__name__": "mine"}
    exec(compile(IMPORTS + dedent(source), "mine.py", "exec"), names)
    return names


def refusal_of(source: str) -> str:
    with pytest.raises(RecipeLoadError) as refused:
        executed(source)
    return str(refused.value)


class TestRefusal:
    @pytest.mark.parametrize(
        ("parameter", "fix"),
        [
            (
                "city: Annotated[str | None, Trait('city')]",
                "'city' needs a default, like `= None`, for when the profile is not known",
            ),
            ("views: Annotated[tuple[Event, ...], Events('Viewed')]", "'views' needs a default, like `= ()`, for when"),
            ("limit", "must declare one need, like `limit: Annotated[int, Param(ge=1)] = 5`"),
            ("limit=5", "must declare one need"),
            ("limit: int = 5", "must declare one need"),
            ("limit: Annotated[int, 'a note'] = 5", "must declare one need"),
            ("limit: Annotated[int, Param] = 5", "must declare one need"),
            ("limit: Annotated[int, Param(), Trait('limit')] = 5", "must declare one need"),
            ("limit: Annotated[int, Param()] | None = 5", "must declare one need"),
            ("*cities: Annotated[str, Trait('city')]", "'cities' must be a plain named one"),
            ("**cities: Annotated[str, Trait('city')]", "'cities' must be a plain named one"),
            ("city: Annotated[str, Trait('city')] = '', /", "'city' must be a plain named one"),
            ("views: Annotated[list[Event], Events('Viewed')] = []", "receives `tuple[Event, ...]`"),
            ("views: Annotated[tuple[Event], Events('Viewed')] = ()", "receives `tuple[Event, ...]`"),
            ("all: Annotated[dict[str, Any], AllTraits()] = {}", "'all' receives `Mapping[str, Any]`: write that"),
            ("ins: Annotated[list[str], Audiences()] = []", "'ins' receives `tuple[str, ...]`"),
            ("ids: Annotated[list[str], ExternalIds()] = []", "'ids' receives `tuple[ExternalId, ...]`"),
            ("links: Annotated[tuple[str, ...], Links()] = ()", "'links' receives `tuple[Link, ...]`"),
            ("told: Annotated[datetime, Metadata()] = None", "'told' receives `ProfileMetadata | None`"),
            ("links: Annotated[tuple[Link, ...], Links()]", "parameter 'links' needs a default"),
            ("now: Annotated[str, Now()]", "'now' receives `datetime`"),
            ("now: Annotated[datetime | None, Now()] = None", "'now' receives `datetime`"),
            ("user_id: Annotated[str, Param()] = ''", "would shadow the request's own 'user_id'"),
            ("recipes: Annotated[str, Param()] = ''", "would shadow the request's own 'recipes'"),
            ("limit: Annotated[int, Param(ge=1)] = 0", "the default of parameter 'limit' breaks its own bounds"),
            ("limit: Annotated[int, Param()] = 'five'", "the default of parameter 'limit' breaks its own bounds"),
            ("limit: Annotated[int, Param()] = None", "the default of parameter 'limit' breaks its own bounds"),
            ("limit: Annotated[str, Param(ge=1)] = ''", "parameter 'limit': Can only set `ge` on a numeric type"),
            ("where: Annotated[Posts, Trait('where')] = None", "parameter 'where': `Posts` is no type that JSON has"),
            ("n: Annotated[int, Trait('n')] = None", "default of parameter 'n' is not of its type: write `int | None`"),
            ("n: Annotated[int, Trait('n')] = 'five'", "is not of its type: give it one that is (Expected `int`, got"),
            ("tags: Annotated[list[str], Param()] = []", "str, int, float, bool, a Literal or optional"),
            ("day: Annotated[datetime | None, Param()] = None", "str, int, float, bool, a Literal or optional"),
            (
                "tags: Annotated[list[str] | tuple[str, ...], Trait('tags')] = ()",
                "parameter 'tags': Type unions may not",
            ),
            ("city: 'Annotated[Town, Trait(\"city\")]' = None", "'Town' is not defined"),
            (
                "city: 'Annotated[str, Trait(\"a,b\")]' = ''",
                "'a,b' contains a comma, which the Profile API cannot carry: give each name",
            ),
        ],
    )
    def test_a_wrong_parameter_is_refused_with_its_place_and_the_fix(self, parameter: str, fix: str) -> None:
        """When the recipe is declared, not when somebody asks for it."""
        refusal = refusal_of(f"""
            @recipe("mine")
            def mine({parameter}) -> str:
                return ""
        """)
        assert refusal.startswith(f"mine.py:{LINE + 1}: recipe 'mine': ")
        assert fix in refusal

    @pytest.mark.parametrize(
        ("name", "fix"),
        [
            ("", "lowercase words joined by hyphens, like 'recommended-posts'"),
            ("Posts", "lowercase words"),
            ("my_posts", "lowercase words"),
            ("my--posts", "lowercase words"),
            ("-posts", "lowercase words"),
            ("posts-", "lowercase words"),
            ("5-posts", "lowercase words"),
            ("posts\n", "lowercase words"),
            ("möbel", "lowercase words"),
            ("posts/new", "lowercase words"),
            ("personalize", "the names personalize and profiles are taken"),
            ("profiles", "the names personalize and profiles are taken"),
        ],
    )
    def test_a_wrong_name_is_refused(self, name: str, fix: str) -> None:
        """It is part of a URL, of which some are the service's own."""
        refusal = refusal_of(f"""
            @recipe({name!r})
            def mine() -> str:
                return ""
        """)
        assert refusal.startswith(f"mine.py:{LINE + 1}: recipe {name!r}: ")
        assert fix in refusal

    @pytest.mark.parametrize("name", ["posts", "p", "recommended-posts-2", "a1"])
    def test_a_name_is_words_joined_by_hyphens(self, name: str) -> None:
        """Digits may follow a letter."""
        names = executed(f"""
            @recipe({name!r})
            def mine() -> str:
                return ""
        """)
        assert names["mine"].name == name

    def test_an_async_function_is_refused_with_the_reason(self) -> None:
        """What needs I/O is a provider."""
        refusal = refusal_of("""
            @recipe("mine")
            async def mine() -> str:
                return ""
        """)
        assert refusal == (
            f"mine.py:{LINE + 1}: recipe 'mine': "
            "a recipe is a plain function, not async: it does no I/O; what needs I/O is a provider"
        )

    @pytest.mark.parametrize(
        ("decorated", "fix"),
        [
            (
                "@recipe('mine', access='Server')\ndef mine() -> str: return ''",
                "access is one of public, verified, server",
            ),
            (
                "@recipe('mine', collection='user')\ndef mine() -> str: return ''",
                "collection is one of users, accounts",
            ),
            ("@recipe('mine', ttl=60)\ndef mine() -> str: return ''", "ttl is a duration, like `timedelta(minutes=5)`"),
            ("@recipe\ndef mine() -> str: return ''", 'write @recipe("name")'),
            ("@recipe('mine')\nclass Mine: pass", "a plain function"),
            ("@recipe('mine')\n@recipe('other')\ndef mine() -> str: return ''", "decorated once"),
            ("@recipe('mine')\nasync def mine() -> str: yield ''", "not async"),
            ("@recipe('mine')\ndef mine() -> str: yield ''", "returns its answer"),
            ("@recipe('mine')\ndef mine(x: Annotated[str, Param(ge=1)]) -> str: return ''", "ge"),
            ("@recipe('mine')\ndef mine(x: Annotated[str, Param(pattern='[')] = '') -> str: return ''", "unterminated"),
            ("@recipe('mine')\ndef mine(x: 'Annotated[str, Nope.x]' = '') -> str: return ''", "Nope"),
            ("@recipe('mine')\ndef mine(x: 'Annotated[str' = '') -> str: return ''", "mine"),
            ("@recipe('mine')\ndef mine(x: Annotated[Posts, Trait('x')] = None) -> str: return ''", "Posts"),
        ],
    )
    def test_what_cannot_be_a_recipe_is_refused(self, decorated: str, fix: str) -> None:
        """At load, with a sentence, and not on a visitor's request."""
        assert fix in refusal_of(decorated)

    def test_an_optional_parameter_may_have_bounds(self) -> None:
        """They hold for what is given; that it may be absent is no bound's business."""
        source = """
            @recipe("mine")
            def mine(x: Annotated[str | None, Param(max_length=3)] = None) -> str:
                return ""
        """
        parameter = executed(source)["mine"].params["x"]
        assert parameter.converted("abc") == "abc"
        with pytest.raises(BadParameter):
            parameter.converted("abcd")

    @pytest.mark.parametrize(
        ("returns", "fix"),
        [
            ("", "the return annotation is missing, like `-> list[str]`: it becomes the answer's schema"),
            ("-> Posts", "`Posts` is no type that JSON has; write one that it has, or `object` for any JSON"),
            ("-> complex", "`complex` is no type"),
            ("-> list[Posts]", "Posts"),
            ("-> 'list[Article]'", "'Article' is not defined"),
        ],
    )
    def test_an_answer_that_json_cannot_say_is_refused(self, returns: str, fix: str) -> None:
        """The return annotation is the answer's schema."""
        refusal = refusal_of(f"""
            @recipe("mine")
            def mine() {returns}:
                return ""
        """)
        assert refusal.startswith(f"mine.py:{LINE + 1}: recipe 'mine': ")
        assert fix in refusal

    @pytest.mark.parametrize("returns", ["object", "list[object]", "list[dict[str, object] | None]"])
    def test_an_answer_may_be_free_json(self, returns: str) -> None:
        """`object` stands for whatever JSON can say."""
        declared = executed(f"""
            @recipe("mine")
            def mine() -> {returns}:
                return []
        """)
        assert bytes(declared["mine"].answer({})) == b"[]"

    def test_a_comma_in_a_name_is_refused_in_the_annotation_itself(self) -> None:
        """Python evaluates it before the decorator is asked, so the need says it."""
        with pytest.raises(ValueError, match="'a,b' contains a comma"):
            executed("""
                @recipe("mine")
                def mine(city: Annotated[str | None, Trait("a,b")] = None) -> str:
                    return ""
            """)

    def test_the_place_is_that_of_this_declaration(self) -> None:
        """In a file of several, the line leads to the broken one."""
        refusal = refusal_of("""
            @recipe("good")
            def good() -> str:
                return ""

            @recipe("bad")
            def bad(limit) -> str:
                return ""
        """)
        assert refusal.startswith(f"mine.py:{LINE + 5}: recipe 'bad': parameter 'limit'")


@recipe("everything", access="public", ttl=timedelta(minutes=2))
def everything(
    now: Annotated[datetime, Now()],
    posts: Annotated[str, Items("posts")],
    city: Annotated[str | None, Trait("home_city")] = None,
    age: Annotated[int, Trait("age")] = -1,
    views: Annotated[tuple[Event, ...], Events("Viewed", "Added", limit=2)] = (),
    limit: Annotated[int, Param(ge=1, le=20)] = 5,
) -> dict[str, Any]:
    """Return what came."""
    return {"city": city, "age": age, "views": len(views), "limit": limit, "posts": posts, "hour": now.hour}


@recipe("modest")
def modest(views: Annotated[Sequence[Event], Events("Viewed")] = ()) -> int:
    """Return how much was viewed."""
    return len(views)


def test_a_recipe_says_what_it_needs() -> None:
    """All that the service derives from its declaration."""
    assert (everything.name, everything.access, everything.collection, everything.ttl) == (
        "everything",
        "public",
        "users",
        120,
    )
    assert everything.wanted.needs == (Trait("home_city"), Trait("age"), Events("Viewed", "Added", limit=2))
    assert everything.sections == {"traits", "events"}
    assert list(everything.params) == ["limit"]
    assert everything.providers == {"posts"}
    assert re.fullmatch(r".*test_declare\.py:\d+", everything.where)


def test_what_is_not_said_is_careful() -> None:
    """Verified visitors only, users, and no age of its own."""
    assert (modest.access, modest.collection, modest.ttl) == ("verified", "users", float("inf"))


def test_calling_a_recipe_calls_its_function() -> None:
    """So that its test is a plain call."""
    assert everything(NOON, "p", "Rome", limit=2) == {
        "city": "Rome",
        "age": -1,
        "views": 0,
        "limit": 2,
        "posts": "p",
        "hour": 12,
    }


def seen(traits: dict[str, Any] | None = None, *events: str) -> Snapshot:
    """Return a snapshot of traits and of events by their names."""
    trait_section: Traits = Section(traits, ("home_city",), 0.0)
    event_section: EventHistory = Section(tuple(Event(name, NOON) for name in events), ("Viewed",), 0.0)
    return Snapshot({"traits": trait_section, "events": event_section})


def bound(snapshot: Snapshot, **params: object) -> Binding:
    return everything.bind(snapshot, {"posts": "all posts"}, params, NOON)


class TestBinding:
    @pytest.mark.parametrize(
        "snapshot",
        [
            Snapshot(),
            Snapshot(failed=frozenset[SectionName]({"traits", "events"})),
            seen(None),
            seen({}),
            seen({"home_city": None}),
            seen({"Home_City": "Rome"}, "Searched"),
        ],
    )
    def test_what_is_not_known_keeps_its_default(self, snapshot: Snapshot) -> None:
        """The function fills it, and the visitor counts as not found."""
        binding = bound(snapshot)
        assert binding == Binding({"now": NOON, "posts": "all posts", "limit": 5}, found=False, mismatched=())
        assert json.loads(bytes(everything.answer(binding.arguments)))["city"] is None

    def test_a_known_trait_is_found(self) -> None:
        """Under the parameter's name, not the trait's."""
        binding = bound(seen({"home_city": "Rome", "other": 1}))
        assert binding.arguments["city"] == "Rome"
        assert binding.found

    @pytest.mark.parametrize("value", [0, 41])
    def test_a_falsy_value_is_a_value(self, value: int) -> None:
        """Zero is known."""
        binding = bound(seen({"age": value}))
        assert (binding.arguments["age"], binding.found) == (value, True)

    @pytest.mark.parametrize("value", ["41", 41.5, True, [41], {"years": 41}])
    def test_a_trait_of_another_type_gives_the_default_and_is_named(self, value: object) -> None:
        """Nothing is guessed."""
        binding = bound(seen({"age": value}))
        assert "age" not in binding.arguments
        assert (binding.found, binding.mismatched) == (False, ("age",))

    @pytest.mark.parametrize(
        ("hint", "default", "value"),
        [
            (object, None, 5),
            (dict[str, object], {"city": "Oslo"}, {"city": ["Rome"]}),
            (Mapping[str, object] | None, None, {}),
            (Mapping[str, object], MappingProxyType({}), {"city": 1}),
            (list[object], [], [1]),
        ],
    )
    def test_a_trait_may_be_free_json(self, hint: Any, default: object, value: object) -> None:
        """`object` stands for whatever JSON can say, as in an answer."""

        @recipe("mine")
        def mine(where: Annotated[hint, Trait("where")] = default) -> object:
            """Return it."""
            return where

        binding = mine.bind(Snapshot({"traits": Section({"where": value}, (), 0.0)}), {}, {}, NOON)
        assert (binding.arguments, binding.found) == ({"where": value}, True)

    def test_one_mismatch_spoils_no_other_need(self) -> None:
        """The visitor is found by what fits."""
        binding = bound(seen({"age": "old", "home_city": "Rome"}))
        assert binding.arguments["city"] == "Rome"
        assert (binding.found, binding.mismatched) == (True, ("age",))

    def test_events_are_those_named_up_to_the_limit(self) -> None:
        """In the order they came, which is newest first."""
        binding = bound(seen(None, "Searched", "Added", "Viewed", "Searched", "Viewed"))
        assert binding.arguments["views"] == (Event("Added", NOON), Event("Viewed", NOON))
        assert binding.found

    def test_parameters_of_the_request_win(self) -> None:
        """And make nobody found."""
        binding = bound(Snapshot(), limit=3)
        assert (binding.arguments["limit"], binding.found) == (3, False)


WHOLE: dict[SectionName, AnySection] = {
    "all_traits": Section({"plan": "pro", "tags": ["a"], "address": {"city": "Rome"}}, (), 0.0),
    "audiences": Section(("gold",), (), 0.0),
    "all_events": Section(tuple(Event(name, NOON, {"ids": [1]}, name) for name in "abc"), (), 0.0),
    "external_ids": Section((ExternalId("user_id", "ada"),), (), 0.0),
    "links": Section((Link("accounts", (ExternalId("group_id", "g1"),)),), (), 0.0),
    "metadata": Section(ProfileMetadata("use_1", created_at=NOON), (), 0.0),
}


@recipe("whole")
def whole(
    traits: Annotated[Mapping[str, object], AllTraits()] = MappingProxyType({}),
    audiences: Annotated[tuple[str, ...], Audiences()] = (),
    events: Annotated[tuple[Event, ...], Events(limit=2)] = (),
    ids: Annotated[Sequence[ExternalId], ExternalIds()] = (),
    links: Annotated[tuple[Link, ...], Links()] = (),
    metadata: Annotated[ProfileMetadata | None, Metadata()] = None,
) -> list[object]:
    """Return what came."""
    return [traits, audiences, events, ids, links, metadata]


class TestWholeSections:
    def test_each_need_receives_its_section(self) -> None:
        """As it is, events up to the limit."""
        assert whole.sections == WHOLE.keys()
        binding = whole.bind(Snapshot(WHOLE), {}, {}, NOON)
        assert list(binding.arguments) == ["traits", "audiences", "events", "ids", "links", "metadata"]
        received = [*binding.arguments.values()]
        contents = [section.content for section in WHOLE.values()]
        assert received[:2] + received[3:] == contents[:2] + contents[3:]
        assert [event.name for event in whole.function(**binding.arguments)[2]] == ["a", "b"]  # type: ignore[arg-type, attr-defined]
        assert (binding.found, binding.mismatched) == (True, ())

    @pytest.mark.parametrize("name", sorted(WHOLE))
    def test_any_of_them_makes_a_visitor_found(self, name: SectionName) -> None:
        """The other needs keep their defaults."""
        binding = whole.bind(Snapshot({name: WHOLE[name]}), {}, {}, NOON)
        assert (binding.found, len(binding.arguments)) == (True, 1)

    @pytest.mark.parametrize("empty", [None, "nothing"])
    def test_what_is_empty_keeps_the_default(self, empty: str | None) -> None:
        """Of a profile that does not exist, and of one that has nothing."""
        contents: dict[SectionName, Any] = {name: {} if name == "all_traits" else () for name in WHOLE}
        contents["metadata"] = None
        snapshot = Snapshot({name: Section(empty and contents[name], (), 0.0) for name in WHOLE})
        assert whole.bind(snapshot, {}, {}, NOON) == Binding({}, found=False, mismatched=())


@recipe("meddler")
def meddler(
    traits: Annotated[Mapping[str, Any], AllTraits()] = MappingProxyType({}),
    tags: Annotated[list[Any], Trait("tags")] = [],  # noqa: B006 -- what a careless recipe writes
    events: Annotated[tuple[Event, ...], Events("Viewed")] = (),
) -> int:
    """Change whatever can be changed."""
    traits["tags"].append("mine")
    tags.append("mine")
    for event in events:
        event.properties["ids"].append("mine")
    return len(tags)


class TestMeddling:
    SNAPSHOT = Snapshot(
        {
            "traits": Section({"tags": ["a"]}, ("tags",), 0.0),
            "all_traits": Section({"tags": ["a"], "plan": "pro"}, (), 0.0),
            "events": Section((Event("Viewed", NOON, {"ids": [1]}),), ("Viewed",), 0.0),
        }
    )

    def test_what_a_recipe_changes_is_its_own(self) -> None:
        """No other recipe of the page, no other page and no cache sees it."""
        before = copy.deepcopy(self.SNAPSHOT)
        for _ in range(2):
            binding = meddler.bind(self.SNAPSHOT, {}, {}, NOON)
            assert bytes(meddler.answer(binding.arguments)) == b"2"
        assert before == self.SNAPSHOT

    @pytest.mark.parametrize("default", [["a"], {"a": ["b"]}, {"a"}])
    def test_a_default_that_a_recipe_changes_is_its_own(self, default: Any) -> None:
        """What it does to it for one visitor, no other visitor sees."""

        @recipe("mine")
        def mine(tags: Annotated[Any, Trait("tags")] = default) -> int:
            """Empty the default."""
            size = len(tags)
            tags.clear()
            return size

        for _ in range(2):
            assert bytes(mine.answer(mine.bind(Snapshot(), {}, {}, NOON).arguments)) == b"1"

    def test_mappings_cannot_be_changed(self) -> None:
        """Not a trait, and not a property, whether there are lists among them or not."""
        arguments: Mapping[str, Any] = meddler.bind(self.SNAPSHOT, {}, {}, NOON).arguments
        flat: Mapping[str, Any] = modest.bind(seen(None, "Viewed"), {}, {}, NOON).arguments
        mappings: list[Any] = [arguments["traits"], arguments["events"][0].properties, flat["views"][0].properties]
        for mapping in mappings:
            with pytest.raises(TypeError):
                mapping["new"] = 1

    @pytest.mark.parametrize("name", ["traits", "all_traits", "events"])
    def test_what_is_nested_without_end_gives_the_default(self, name: SectionName) -> None:
        """As what is of another type does: it must not cost the page."""
        endless: list[Any] = []
        for _ in range(100_000):
            endless = [endless]
        contents: dict[SectionName, Any] = {
            "traits": {"tags": endless},
            "all_traits": {"tags": endless},
            "events": (Event("Viewed", NOON, {"ids": endless}),),
        }
        binding = meddler.bind(Snapshot({name: Section(contents[name], (), 0.0)}), {}, {}, NOON)
        assert (binding.arguments, binding.found, len(binding.mismatched)) == ({"tags": []}, False, 1)
        while endless:  # from the outside in: to let go of it at once would need as deep a stack
            endless = endless[0]


@recipe("typed")
def typed(
    required: Annotated[str, Param()],
    whole: Annotated[int, Param(ge=1, le=20)] = 5,
    real: Annotated[float, Param(ge=0)] = 0.5,
    word: Annotated[str, Param(min_length=1, max_length=3, pattern="^[a-z]*$")] = "a",
    choice: Annotated[Literal["big", "small"], Param()] = "big",
    maybe: Annotated[int | None, Param()] = None,
    *,
    flag: Annotated[bool, Param()] = False,
    any_real: Annotated[float, Param()] = 0.5,
) -> list[Any]:
    """Return one parameter of each kind."""
    return [required, whole, real, word, choice, maybe, flag, any_real]


class TestParameters:
    def test_a_parameter_may_have_no_default(self) -> None:
        """Then the request must set it."""
        assert typed.params["required"].default is NO_DEFAULT
        assert typed.params["whole"].default == 5

    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("whole", "1", 1),
            ("whole", "20", 20),
            ("real", "0.25", 0.25),
            ("real", "3", 3.0),
            ("flag", "true", True),
            ("flag", "0", False),
            ("word", "abc", "abc"),
            ("choice", "small", "small"),
            ("maybe", "7", 7),
        ],
    )
    def test_a_text_becomes_a_value_of_the_type(self, name: str, text: str, value: object) -> None:
        """As query strings write it."""
        converted = typed.params[name].converted(text)
        assert converted == value
        assert type(converted) is type(value)

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("whole", "0"),
            ("whole", "21"),
            ("whole", "five"),
            ("whole", ""),
            ("whole", " 5"),
            ("whole", "5.5"),
            ("whole", "1" * 5000),
            ("real", "-1"),
            ("real", "nan"),
            ("real", "1e999"),
            ("real", "inf"),
            ("any_real", "nan"),
            ("any_real", "-Infinity"),
            ("flag", "maybe"),
            ("word", ""),
            ("word", "abcd"),
            ("word", "A"),
            ("choice", "medium"),
            ("maybe", "x"),
        ],
    )
    def test_a_bad_value_is_refused_by_its_field(self, name: str, text: str) -> None:
        """One sentence, for the caller."""
        with pytest.raises(BadParameter, match=rf"^`{name}` is not valid: [a-z].*\.$") as refused:
            typed.params[name].converted(text)
        assert refused.value.field == name


def answering(value: object, returns: object) -> Recipe[[], Any]:
    """Return a recipe that returns a value under an annotation."""

    def answer() -> Any:
        return value

    answer.__annotations__["return"] = returns
    return recipe("answering")(answer)


class TestAnswer:
    @pytest.mark.parametrize(
        ("value", "returns", "encoded"),
        [
            ("x", str, "x"),
            (None, None, None),
            ([1, 2], list[int], [1, 2]),
            ((1, 2), list[int], [1, 2]),
            ({"a": 1}, dict[str, int], {"a": 1}),
            (NOON, datetime, "2026-11-22T12:00:00Z"),
            (float("nan"), float | None, None),
            (
                [Post(title="T", url="https://b/1", published_at=NOON)],
                list[Post],
                [
                    {
                        "title": "T",
                        "url": "https://b/1",
                        "published_at": "2026-11-22T12:00:00Z",
                        "categories": [],
                        "excerpt": "",
                        "image": None,
                    }
                ],
            ),
            (
                Product(product_id="p1"),
                Product,
                {
                    "product_id": "p1",
                    "name": None,
                    "url": None,
                    "image": None,
                    "price": None,
                    "category": None,
                    "last_viewed_at": None,
                },
            ),
        ],
    )
    def test_an_answer_is_json(self, value: object, returns: object, encoded: object) -> None:
        """With every member, known or not."""
        assert json.loads(bytes(answering(value, returns).answer({}))) == encoded

    def test_an_answer_is_the_functions_for_its_arguments(self) -> None:
        """What was bound is what it gets."""
        assert json.loads(bytes(everything.answer(bound(seen({"age": 41}, "Viewed"), limit=3).arguments))) == {
            "city": None,
            "age": 41,
            "views": 1,
            "limit": 3,
            "posts": "all posts",
            "hour": 12,
        }

    @pytest.mark.parametrize(
        ("value", "returns"),
        [
            ("5", int),
            (None, str),
            ([Post(title="T", url="https://b/1")], list[Product]),
            ({"title": "T"}, Post),
            ((number for number in (1, 2)), list[int]),
            ({"a": object()}, dict[str, Any]),
            ("\ud800", str),
        ],
    )
    def test_an_answer_that_was_not_declared_is_a_failure(self, value: object, returns: object) -> None:
        """Of the recipe, with the cause for the log."""
        with pytest.raises(RecipeFailed) as failed:
            answering(value, returns).answer({})
        assert failed.value.reason == "returned"
        assert failed.value.__cause__ is not None

    def test_an_answer_without_end_is_a_failure(self) -> None:
        """It contains itself."""
        endless: dict[str, Any] = {}
        endless["again"] = endless
        with pytest.raises(RecipeFailed) as failed:
            answering(endless, dict[str, Any]).answer({})
        assert failed.value.reason == "returned"

    def test_what_a_recipe_raises_is_a_failure_with_its_cause(self) -> None:
        """Whatever it is."""
        with pytest.raises(RecipeFailed) as failed:
            everything.answer({})
        assert failed.value.reason == "raised"
        assert isinstance(failed.value.__cause__, TypeError)

    @pytest.mark.parametrize("raised", [SystemExit, GeneratorExit, KeyboardInterrupt, asyncio.CancelledError])
    def test_what_would_end_its_caller_is_a_failure_too(self, raised: type[BaseException]) -> None:
        """A recipe cannot cancel the page that asked it, nor stop the service."""

        @recipe("mine")
        def mine() -> str:
            """End everything."""
            raise raised

        with pytest.raises(RecipeFailed) as failed:
            mine.answer({})
        assert isinstance(failed.value.__cause__, raised)


def test_an_answers_members_are_checked_too() -> None:
    """What is sent is what the annotation says, however deep."""

    @recipe("mine")
    def mine() -> list[Post]:
        """Return a post that is none."""
        return [Post(title=5, url="https://blog.example.com/")]  # type: ignore[arg-type]  # the lie that is tested

    with pytest.raises(RecipeFailed):
        mine.answer({})
