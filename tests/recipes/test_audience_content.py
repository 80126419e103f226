"""What the members of audiences see."""

import json

import pytest

from personalize import Variant, Variants
from personalize.registry import load

audience_content = load(["shipped"])["audience-content"]
GOLD = Variant("gold", {"text": "Hello again"}, audience="gold")
NEW = Variant("new", {"text": "Hello"}, audience="new")
ALL = Variant("all", {"text": "Hi"})


@pytest.mark.parametrize(
    ("audiences", "seen"),
    [((), ALL), (("silver",), ALL), (("new",), NEW), (("new", "gold"), GOLD)],
)
def test_the_first_variant_for_a_visitor_is_seen(audiences: tuple[str, ...], seen: Variant) -> None:
    """In the order of the file; who is in no audience sees what is for everybody."""
    shown = audience_content(Variants([GOLD, NEW, ALL]), audiences)
    assert shown is not None
    assert (shown.name, shown.content) == (seen.name, seen.content)


def test_which_audience_it_is_for_is_not_told() -> None:
    """What a business calls its visitors is not for their browsers."""
    answer = audience_content.answer({"variants": Variants([GOLD]), "audiences": ("gold",)})
    assert json.loads(bytes(answer)) == {"name": "gold", "content": {"text": "Hello again"}}


def test_only_the_visitor_may_ask() -> None:
    """And no file widens what is read: audiences are a section of their own, whatever variants there are."""
    assert audience_content.access == "verified"
    assert audience_content.sections == {"audiences"}


def test_nothing_for_everybody_is_nothing() -> None:
    """The page keeps what it has."""
    assert audience_content(Variants([GOLD])) is None
