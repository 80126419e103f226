"""What a process has learnt of keys that stand for one person."""

from personalize.cache.aliases import MAX_ALIASES, MAX_SAID_KEYS, MAX_UNPROVEN, Aliases
from tests.unit.cache.house import Clock


def test_what_is_learnt_is_news_once() -> None:
    """And a key is no other of its own."""
    aliases = Aliases(renew=60)
    assert aliases.learn("ada", ["a", "b", "ada"]) == ["a", "b"]
    assert aliases.learn("ada", ["b", "c"]) == ["c"]
    assert aliases.of("ada") == {"a", "b", "c"}
    aliases.forget("ada")
    assert aliases.of("ada") == frozenset()
    assert aliases.learn("ada", ["a"]) == ["a"]


def test_what_is_learnt_again_after_long_is_news_again() -> None:
    """The shared tier forgets by itself: all of it is told anew."""
    clock = Clock()
    aliases = Aliases(renew=60, clock=clock)
    aliases.learn("ada", ["a"])
    clock.now += 59
    assert aliases.learn("ada", ["a"]) == []
    clock.now += 1
    assert aliases.learn("ada", ["a", "b"]) == ["a", "b"]
    assert aliases.learn("ada", ["a", "b"]) == []


def test_the_first_ones_stay() -> None:
    """Up to a number of them."""
    aliases = Aliases(renew=60)
    aliases.learn("ada", [f"k{number}" for number in range(2 * MAX_ALIASES)])
    assert aliases.of("ada") == {f"k{number}" for number in range(MAX_ALIASES)}


def test_what_anybody_may_have_made_up_leaves_room_for_what_is_proven() -> None:
    """However many ids somebody puts beside another's, those of a login are learnt."""
    aliases = Aliases(renew=10)
    aliases.learn("ada", [f"junk{number}" for number in range(2 * MAX_ALIASES)], proven=False)
    assert len(aliases.of("ada")) == MAX_UNPROVEN
    assert aliases.learn("ada", ["more"], proven=False) == []
    assert aliases.learn("ada", ["device"]) == ["device"]


def test_what_is_only_said_pushes_out_nothing_that_is_proven() -> None:
    """However many made-up ids there are, and they are bounded by themselves."""
    aliases = Aliases(renew=10)
    aliases.learn("ada", ["device"])
    for number in range(MAX_SAID_KEYS):
        aliases.learn(f"somebody{number}", ["junk"], proven=False)
    assert aliases.of("ada") == {"device"}
    assert aliases.of("somebody0") == frozenset()


def test_what_was_said_first_can_be_proven_later() -> None:
    """It takes no second place, and stays as what is proven does."""
    aliases = Aliases(renew=10)
    said = [f"k{number}" for number in range(MAX_UNPROVEN)]
    aliases.learn("ada", said, proven=False)
    assert aliases.learn("ada", ["k0"]) == ["k0"]
    assert aliases.learn("ada", ["k0"]) == []
    assert aliases.learn("ada", ["k0"], proven=False) == []
    assert aliases.proven("ada") == {"k0"}
    assert len(aliases.of("ada")) == MAX_UNPROVEN
