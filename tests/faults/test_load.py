"""The load driver asks as often as it says, and notes every answer."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from itertools import repeat

import httpx
import pytest

from tests.faults import load, visitors
from tests.faults.conftest import Serve
from tests.faults.load import Answer, Answers
from tests.faults.service import Sandbox, Service
from tests.integration.test_workers import workers
from tests.processes import wait_until


@pytest.fixture
def service(sandbox: Sandbox, serve: Serve) -> Iterator[Service]:
    with serve(sandbox.url) as service:
        yield service


def test_a_worker_that_is_killed_takes_its_requests_alone(sandbox: Sandbox, serve: Serve) -> None:
    """Only what was under way with it fails; another takes its place, and no counter falls."""
    with serve(sandbox.url, workers=2) as service:
        service.warm_up()
        before = workers(service.run)
        counts = [service.numbers("personalize_requests_total")]
        paths = visitors.paths(visitors.known.some(20) * 40)
        with load.meanwhile(lambda: load.steady(service.url, paths, rate=100, seconds=8)) as driven:
            os.kill(before[0], signal.SIGKILL)
            wait_until(lambda: _in_place(service, before[0], counts), "a new worker", 60)
            answers = driven.result(60)
    failed = answers.statuses.total() - answers.statuses[200]
    assert failed <= 20  # under way at once, at a rate of 100 a second
    assert counts == sorted(counts)


def _in_place(service: Service, killed: int, counts: list[float]) -> bool:
    """Return whether two workers serve again; what is counted meanwhile is noted."""
    with suppress(httpx.TransportError):  # it was under way with the one that was killed
        counts.append(service.numbers("personalize_requests_total"))
        return len({*workers(service.run)} - {killed}) == 2 and service.numbers("personalize_workers") == 2
    return False


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
