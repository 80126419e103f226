"""Segment fails: it is asked less, not more, and pages go on with what is known."""

from itertools import cycle

from tests.faults import load, visitors
from tests.faults.conftest import Serve
from tests.faults.load import meanwhile
from tests.faults.service import Sandbox, Service, until
from tests.processes import wait_until


def is_open(service: Service) -> bool:
    return service.numbers("personalize_breaker_open") == 1


def test_the_breaker_opens_within_five_failures(sandbox: Sandbox, serve: Serve) -> None:
    """From then on nobody is asked, and every page has its default."""
    sandbox.misbehave(status=503)
    with serve(sandbox.url) as service:
        answers = load.closed(service.url, visitors.paths(visitors.known.some(60)), clients=1)
        assert visitors.holds(answers)
        assert all(body["degraded"] and not body["personalized"] for body in answers.bodies)
        assert is_open(service)
        assert service.is_ready
        assert service.numbers("personalize_upstream_shed_total", reason="breaker") >= 50
    assert len(sandbox.calls()) <= 7  # five failures, a retry that was under way, a probe


def test_probes_are_few_and_recovery_is_quick(sandbox: Sandbox, serve: Serve) -> None:
    """While it fails there is one probe in 5 s; once it answers, so do we within 6 s."""
    names = visitors.known.some(100)
    sandbox.misbehave(status=500)
    with serve(sandbox.url) as service:
        wait_until(lambda: not service.knows(names[0]) and is_open(service), "the breaker")
        sandbox.forget()
        answers = load.steady(service.url, visitors.paths(cycle(names)), rate=50, seconds=8)
        assert visitors.holds(answers)
        assert len(sandbox.calls()) <= 3  # after 5 s at most, and once more where a probe is tried again

        sandbox.behave()
        with meanwhile(lambda: load.steady(service.url, visitors.paths(cycle(names)), rate=20, seconds=7)) as later:
            assert until(lambda: service.is_well(names[0]), "a fresh answer", 7.5) <= 7.5
        assert visitors.holds(later.result())
        assert not is_open(service)


def test_what_is_known_is_served_while_it_fails(sandbox: Sandbox, serve: Serve) -> None:
    """Older than fresh, and said to be: degraded, but personal."""
    names = visitors.known.some(5)
    with serve(sandbox.url, CACHE_TTL="500ms", REVALIDATE_TTL="1s") as service:
        assert all(map(service.knows, names))
        sandbox.misbehave(status=500)
        wait_until(lambda: all(service.ask(name)["degraded"] for name in names), "everyone's age")
        answers = load.closed(service.url, visitors.paths(names * 10), clients=10)
        assert visitors.holds(answers)
        assert all(body["degraded"] and body["personalized"] for body in answers.bodies)


def test_nothing_is_served_past_the_hard_limit(sandbox: Sandbox, serve: Serve) -> None:
    """What is older than the last known may be is not known."""
    name = next(visitors.known)
    with serve(sandbox.url, CACHE_TTL="300ms", REVALIDATE_TTL="600ms", STALE_TTL="2s") as service:
        assert service.knows(name)
        sandbox.misbehave(status=500)
        wait_until(lambda: not service.knows(name), "the hard limit", 5)
        assert service.ask(name) == {"recipe": "mirror", "personalized": False, "degraded": True, "data": []}


def test_attempts_stay_within_the_retry_budget(sandbox: Sandbox, serve: Serve) -> None:
    """Every other request meets a failure: retries help some, and cost a fifth more at most."""
    requests = 80
    with serve(sandbox.url) as service:
        for number, visitor in enumerate(visitors.strangers.some(requests)):
            if number % 2:
                sandbox.misbehave(status=500, times=1)
            service.ask(visitor)
        retries = service.numbers("personalize_upstream_retries_total")
        assert not is_open(service)
    assert retries > 0
    assert len(sandbox.calls()) <= requests * 1.2 + 10  # ten retries are free, so that a quiet service has some


def test_one_failure_is_retried_unseen(sandbox: Sandbox, serve: Serve) -> None:
    """A fast one, with time left."""
    sandbox.misbehave(kind="reset", times=1)
    with serve(sandbox.url) as service:
        assert service.is_well(next(visitors.known))
        assert service.numbers("personalize_upstream_retries_total") == 1


def test_an_unknown_visitor_is_no_failure(sandbox: Sandbox, serve: Serve) -> None:
    """A hundred of them open no breaker, and each is asked about once."""
    names = visitors.strangers.some(100)
    with serve(sandbox.url, RATE_LIMIT="1000") as service:
        for _ in range(2):
            answers = load.closed(service.url, visitors.paths(names), clients=4)
            assert visitors.holds(answers)
        assert not any(body["degraded"] or body["personalized"] for body in answers.bodies)
        assert not is_open(service)
    assert len(sandbox.calls()) == len(names)


def test_an_unknown_visitor_is_asked_about_again_later(sandbox: Sandbox, serve: Serve) -> None:
    """Nobody stays unknown for longer than `NEGATIVE_TTL`."""
    name = next(visitors.strangers)
    with serve(sandbox.url, NEGATIVE_TTL="500ms") as service:
        service.ask(name)
        wait_until(lambda: service.ask(name) and len(sandbox.calls(name)) == 2, "another call", 5)
