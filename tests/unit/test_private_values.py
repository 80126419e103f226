"""What a recipe receives is its own: whatever it does to it, no other recipe and no other visitor sees."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any

import pytest

from personalize import AllTraits, Event, Events, Trait, recipe
from personalize.errors import RecipeLoadError
from personalize.model import AnySection, EventHistory, Section, SectionName, Snapshot, Traits

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@recipe("greedy")
def greedy(
    tags: Annotated[list[str] | None, Trait("tags")] = None,
    everything: Annotated[Mapping[str, object], AllTraits()] = MappingProxyType({}),
    events: Annotated[tuple[Event, ...], Events("Viewed")] = (),
) -> dict[str, object]:
    """Change all that can be changed."""
    if tags is not None:
        tags.append("mine")
    for value in (everything.get("tags"), *(event.properties.get("tags") for event in events)):
        if isinstance(value, list):
            value.append("mine")
    return {"tags": tags, "everything": everything, "events": [event.properties for event in events]}


def known() -> Snapshot:
    traits: Traits = Section({"tags": ["a"]}, ("tags",), 0.0)
    whole: Traits = Section({"tags": ["a"]}, (), 0.0)
    events: EventHistory = Section((Event("Viewed", NOON, {"tags": ["a"]}),), (), 0.0)
    sections: dict[SectionName, AnySection] = {"traits": traits, "all_traits": whole, "events": events}
    return Snapshot(sections)


def test_what_a_recipe_changes_is_its_own() -> None:
    """The snapshot, which others read too, is as it was; what the recipe answers can be said in JSON."""
    snapshot = known()
    binding = greedy.bind(snapshot, {}, {}, NOON)
    answer = bytes(greedy.answer(binding.arguments))
    assert answer == b'{"tags":["a","mine"],"everything":{"tags":["a","mine"]},"events":[{"tags":["a","mine"]}]}'
    assert snapshot == known()


def test_mappings_cannot_be_changed() -> None:
    """Neither the traits nor an event's properties."""
    arguments: Any = greedy.bind(known(), {}, {}, NOON).arguments
    for mapping in (arguments["everything"], arguments["events"][0].properties):
        with pytest.raises(TypeError):
            mapping["new"] = 1


def test_a_need_says_what_it_gives() -> None:
    """With what to write instead."""
    with pytest.raises(RecipeLoadError, match=r"parameter 'traits' receives `Mapping\[str, Any\]`"):

        @recipe("wrong")
        def wrong(traits: Annotated[dict[str, object], AllTraits()] = {}) -> str:  # noqa: B006 -- it is refused
            """Ask for what cannot be had."""
            return str(traits)
