"""When Redis is left alone, and when it is tried again."""

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from structlog.testing import capture_logs

from personalize.fleet.skip import MAX_FAILURES, SECONDS, Skip
from tests.connections import Clock, Counts

BROKE = RedisConnectionError("broke")


class Told:
    """A skip with its parts at hand."""

    def __init__(self) -> None:
        self.clock, self.counts = Clock(), Counts()
        self.skip = Skip(self.counts.metrics, self.clock)

    def away(self) -> "Told":
        """Let Redis go away."""
        for _ in range(MAX_FAILURES):
            self.skip.failed("read", BROKE)
        return self


@pytest.mark.parametrize("error", [TimeoutError(), RedisTimeoutError("slow")])
def test_two_timeouts_are_enough(error: Exception) -> None:
    """A request has no more time than for those."""
    told = Told()
    told.skip.failed("read", error)
    assert told.skip.passes("read")
    told.skip.failed("read", error)
    assert not told.skip.passes("read")


def test_other_failures_are_cheap() -> None:
    """It takes five of them, in a row."""
    told = Told()
    for _ in range(MAX_FAILURES - 1):
        told.skip.failed("read", BROKE)
    told.skip.answered()
    for _ in range(MAX_FAILURES - 1):
        told.skip.failed("read", BROKE)
    assert not told.skip.away
    told.skip.failed("read", BROKE)
    assert told.skip.away


def test_timeouts_between_other_failures_are_not_in_a_row() -> None:
    """They count as failures only."""
    told = Told()
    for error in (TimeoutError(), BROKE, TimeoutError(), BROKE):
        told.skip.failed("read", error)
    assert not told.skip.away


def test_one_operation_a_second_tries_for_all() -> None:
    """Also when nothing is heard of it again, as when whoever asked went away."""
    told = Told().away()
    assert [told.skip.passes("read") for _ in range(3)] == [False] * 3
    for _ in range(3):
        told.clock.now += SECONDS
        assert [told.skip.passes("read") for _ in range(3)] == [True, False, False]
    assert told.counts.skipped("read") == 9


def test_a_failed_probe_is_followed_by_another_second() -> None:
    """From its failure on."""
    told = Told().away()
    told.clock.now += SECONDS
    assert told.skip.passes("read")
    told.clock.now += SECONDS / 2
    told.skip.failed("read", BROKE)
    told.clock.now += SECONDS * 0.9
    assert not told.skip.passes("read")
    told.clock.now += SECONDS * 0.2
    assert told.skip.passes("read")


def test_an_answer_ends_it_at_once() -> None:
    """Everybody may ask again, and it takes as many failures as ever to go away."""
    told = Told().away()
    told.clock.now += SECONDS
    assert told.skip.passes("read")
    told.skip.answered()
    assert [told.skip.passes("read") for _ in range(3)] == [True] * 3
    told.skip.failed("read", BROKE)
    assert not told.skip.away


def test_what_is_refused_for_want_of_memory_says_nothing_of_reads() -> None:
    """It is counted, does not add up and does not make up for failures; as a probe it is an answer."""
    told = Told()
    for _ in range(2 * MAX_FAILURES):
        told.skip.refused("write")
    assert not told.skip.away
    for _ in range(MAX_FAILURES):
        told.skip.failed("read", BROKE)
        told.skip.refused("write")
        assert told.counts.up == 1
    assert told.counts.failures("write") == 3 * MAX_FAILURES
    told.away().skip.refused("write")
    assert not told.skip.away


def test_going_and_coming_back_is_told_once() -> None:
    """However many operations fail meanwhile."""
    told = Told()
    with capture_logs() as logged:
        told.away().away()
        assert told.counts.up == 0
        told.skip.answered()
        told.skip.answered()
        assert told.counts.up == 1
    assert [event["event"] for event in logged] == ["redis_away", "redis_back"]
