"""The load driver asks as often as it says, and notes every answer."""

from collections.abc import Iterator
from itertools import repeat

import pytest

from tests.faults import load, visitors
from tests.faults.conftest import Serve
from tests.faults.load import Answer, Answers
from tests.faults.service import Sandbox, Service


@pytest.fixture
def service(sandbox: Sandbox, serve: Serve) -> Iterator[Service]:
    with serve(sandbox.url) as service:
        yield service


def test_every_path_is_asked_once(service: Service) -> None:
    """By clients that take the next one as they are done."""
    names = visitors.known.some(40)
    answers = load.closed(service.url, visitors.paths(names), clients=8)
    assert visitors.holds(answers)
    assert sorted(visitors.visitor_of(answer) for answer in answers) == sorted(names)


def test_a_rate_is_kept_whatever_the_answers_take(service: Service, sandbox: Sandbox) -> None:
    """Requests are due at their time: waiting for an answer does not lower the rate."""
    sandbox.misbehave(latency_ms=600)
    answers = load.steady(service.url, visitors.paths(visitors.strangers), rate=100, seconds=1)
    due = sorted(answer.due for answer in answers)
    assert len(answers) == 100
    assert due[-1] - due[0] == pytest.approx(0.99, abs=0.01)


def test_what_is_not_answered_is_noted() -> None:
    """A service that is not there gives answers without a status."""
    answers = load.closed("http://127.0.0.1:1", repeat("/", 3), clients=1)
    assert answers.statuses == {0: 3}
    with pytest.raises(AssertionError, match="3 without any answer"):
        visitors.holds(answers)


def test_an_answer_about_somebody_else_is_found_out() -> None:
    """Or about nobody in particular, in part."""
    for data in (b'["known-2"]', b'["known-1", "known-2"]', b'[""]'):
        answer = Answer(visitors.path("known-1"), 200, 0.0, 0.01, b'{"data": %s}' % data)
        with pytest.raises(AssertionError):
            visitors.holds(Answers([answer]))


def test_percentiles_are_of_the_nearest_rank() -> None:
    answers = Answers(Answer("/", 200, 0.0, float(number), b"") for number in range(1, 101))
    assert [answers.percentile(percent) for percent in (0, 50, 99, 100)] == [1, 51, 100, 100]
