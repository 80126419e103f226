"""Serving: sockets that are taken, two applications side by side, and how it ends."""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from types import FrameType

import httpx
import pytest
import structlog
from starlette.types import Receive, Scope, Send

from personalize import listening, server
from personalize.errors import ConfigurationError, RecipeLoadError
from tests.doubles import environment, settings_of
from tests.processes import personalize, wait_for_urls, wait_until

LOOPBACK = "127.0.0.1"


class Tiny:
    """An ASGI application that says its name, and remembers how it was started and stopped."""

    def __init__(self, name: str = "tiny", *, told_to_stop: bool = False) -> None:
        self.name = name
        self.lifespan: list[str] = []
        self._told_to_stop = told_to_stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                said = (await receive())["type"]
                self.lifespan.append(said)
                await send({"type": f"{said}.complete"})
                if self._told_to_stop and said == "lifespan.startup":
                    signal.raise_signal(signal.SIGTERM)
        else:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": self.name.encode()})


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def get(listener: socket.socket, path: str = "/") -> httpx.Response:
    return httpx.get(f"http://{LOOPBACK}:{port_of(listener)}{path}", trust_env=False)


@pytest.fixture
def terminations() -> Iterator[list[int]]:
    """Return the SIGTERMs that reach this process once a server is done with them."""
    reached: list[int] = []

    def remember(number: int, _: FrameType | None) -> None:
        reached.append(number)

    before = signal.signal(signal.SIGTERM, remember)
    yield reached
    signal.signal(signal.SIGTERM, before)
    structlog.reset_defaults()


def test_a_listening_socket_takes_connections_before_it_is_served() -> None:
    """Who connects while the service starts waits instead of being refused."""
    with closing(listening.bind(LOOPBACK, 0)) as listener:
        assert port_of(listener) > 0
        assert listener.get_inheritable()
        with socket.create_connection((LOOPBACK, port_of(listener)), timeout=5):
            pass


def test_a_port_in_use_is_one_sentence() -> None:
    """It names the address and what to do."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = port_of(taken)
        with pytest.raises(ConfigurationError) as refused:
            listening.bind(LOOPBACK, port)
    assert str(refused.value) == (
        f"Personalize cannot listen on {LOOPBACK}:{port}: Address already in use. Choose another with --port."
    )


@pytest.mark.parametrize(
    ("host", "reason"),
    [("192.0.2.1", "Cannot assign requested address"), ("no.such.host.invalid", "")],
)
def test_an_address_that_is_not_ours_is_one_sentence(host: str, reason: str) -> None:
    """Neither another machine's (RFC 5737) nor a name of nobody (RFC 6761)."""
    with pytest.raises(ConfigurationError) as refused:
        listening.bind(host, 8000)
    assert str(refused.value).startswith(f"Personalize cannot listen on {host}:8000: {reason}")
    assert refused.value.__cause__ is None


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_an_ipv6_address_is_listened_on() -> None:
    """A literal with colons is one."""
    with closing(listening.bind("::1", 0)) as listener, listening.companion(Tiny("six"), listener):
        answered = httpx.get(f"http://[::1]:{port_of(listener)}/", trust_env=False)
    assert answered.text == "six"


def test_a_companion_serves_while_the_body_runs() -> None:
    """It starts up, answers, shuts down, and its thread is gone; its answers do not name the server."""
    app = Tiny("companion")
    with closing(listening.bind(LOOPBACK, 0)) as listener:
        with listening.companion(app, listener):
            answered = get(listener)
            assert [thread.name for thread in threading.enumerate()].count("companion") == 1
        assert [thread.name for thread in threading.enumerate()].count("companion") == 0
    assert (answered.status_code, answered.text) == (200, "companion")
    assert "Server" not in answered.headers
    assert app.lifespan == ["lifespan.startup", "lifespan.shutdown"]


def test_a_companion_ends_with_a_body_that_fails() -> None:
    """Whatever goes wrong, it is not left behind."""
    app = Tiny()

    def visit_in_vain(listener: socket.socket) -> None:
        with listening.companion(app, listener):
            get(listener).raise_for_status()
            raise LookupError

    with closing(listening.bind(LOOPBACK, 0)) as listener, pytest.raises(LookupError):
        visit_in_vain(listener)
    assert app.lifespan == ["lifespan.startup", "lifespan.shutdown"]


def test_two_companions_do_not_disturb_each_other() -> None:
    """Each answers on its own address."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(closing(listening.bind(LOOPBACK, 0))) for _ in range(2)]
        for number, listener in enumerate(listeners):
            stack.enter_context(listening.companion(Tiny(f"app {number}"), listener))
        assert [get(listener).text for listener in listeners] == ["app 0", "app 1"]


def test_a_server_that_is_told_to_stop_returns(terminations: list[int]) -> None:
    """It drains and shuts down; the signal is not raised again, for the process would end with 143."""
    app = Tiny(told_to_stop=True)
    with closing(listening.bind(LOOPBACK, 0)) as listener:
        listening.run(app, listener)
    assert app.lifespan == ["lifespan.startup", "lifespan.shutdown"]
    assert terminations == []


def test_the_service_answers_until_it_is_told_to_stop(
    terminations: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    """One worker is this process itself; its log is in the format of the settings, without query strings."""
    answers: list[httpx.Response] = []

    def visit(listener: socket.socket) -> None:
        try:
            answers.append(get(listener, "/livez?user_id=canary"))
        finally:
            signal.raise_signal(signal.SIGTERM)

    with closing(listening.bind(LOOPBACK, 0)) as listener:
        visitor = threading.Thread(target=visit, args=(listener,))
        visitor.start()
        server.Service(settings_of(LOG_FORMAT="json")).run(listener)
        visitor.join(10)
    assert [answered.json() for answered in answers] == [{"status": "alive"}]
    assert terminations == []
    told = capfd.readouterr().err
    assert '"event": "service_started"' in told
    assert '"event": "service_stopped"' in told
    assert "canary" not in told


@pytest.mark.parametrize("workers", [1, 2])
def test_what_makes_no_service_is_told_before_any_worker_starts(workers: int) -> None:
    """A supervisor would start broken workers again and again."""
    with pytest.raises(RecipeLoadError):
        server.Service(settings_of(RECIPES="./nowhere.py"), workers=workers)
    structlog.reset_defaults()


def test_several_workers_share_one_socket() -> None:
    """All of them start, some answers come, and the end is an ordinary one."""
    with personalize("serve", "--port", "0", "--workers", "2", environment=environment()) as run:
        [url] = wait_for_urls(run, 1)
        wait_until(lambda: run.output.count("service_started") == 2, "two workers")
        answers = {httpx.get(f"{url}/readyz", trust_env=False, timeout=10).text for _ in range(8)}
    assert answers == {'{"status":"ready"}'}
    assert run.process.returncode == 0
    assert run.output.count("service_stopped") == 2
    assert "Traceback" not in run.output
