"""What was done a moment ago."""

from personalize.web.repeats import REST_SECONDS, Repeats
from tests.unit.cache.house import Clock


def test_a_call_rests_for_a_while() -> None:
    """By all of its bytes; then it may be worked off again."""
    clock = Clock()
    repeats = Repeats(clock)
    repeats.add([b"a", b"b"])
    assert repeats.has([b"a", b"b"])
    assert not repeats.has([b"a"])
    assert not repeats.has([b"ab"])
    clock.now += REST_SECONDS
    assert not repeats.has([b"a", b"b"])
