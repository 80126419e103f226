"""Recipes that say whom they were given, so that an answer about somebody else is found out."""

from typing import Annotated

from personalize import Event, Events, Trait, recipe


@recipe("mirror", access="public")
def mirror(name: Annotated[str | None, Trait("name_of_visitor")] = None) -> list[str]:
    """Return the visitor's own name, as the profile's traits have it."""
    return [] if name is None else [name]


@recipe("echo", access="public")
def echo(steps: Annotated[tuple[Event, ...], Events("Step Taken")] = ()) -> list[str]:
    """Return the visitor's own name from every event of the profile."""
    return [step.text("name_of_visitor") or "" for step in steps]
