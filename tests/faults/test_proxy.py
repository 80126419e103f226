"""The fault proxy does what its words say."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import (
    Bandwidth,
    Down,
    Latency,
    LimitData,
    Proxy,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
    Toxic,
)
from tests.processes import wait_until


class _Echo(socketserver.BaseRequestHandler):
    """Returns what it gets, until the client has ended its side."""

    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: connections are broken here on purpose."""


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """Return the port of a server that returns what it gets."""
    with _Server(("127.0.0.1", 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    with Proxy(echo).running() as proxy:
        yield proxy


def connected(proxy: Proxy, seconds: float = 5.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=seconds)


def received(client: socket.socket, count: int) -> bytes:
    """Return so many bytes, or fewer if the connection ends."""
    data = b""
    while len(data) < count and (more := client.recv(count - len(data))):
        data += more
    return data


def test_data_goes_through_both_ways(proxy: Proxy) -> None:
    """Without toxics nothing is changed, and connections are counted."""
    sent = bytes(range(256)) * 4096
    with connected(proxy) as first, connected(proxy):
        threading.Thread(target=first.sendall, args=(sent,)).start()
        assert received(first, len(sent)) == sent
        assert (proxy.connections, proxy.open) == (2, 2)
    wait_until(lambda: proxy.open == 0, "closed connections to be forgotten")


@pytest.mark.parametrize("toxic", [Latency(0.2), Bandwidth(50), Slicer(1, pause=0.02)], ids=repr)
def test_slow_data_arrives_whole(proxy: Proxy, toxic: Toxic) -> None:
    """Latency, bandwidth and slices cost time, not data."""
    with connected(proxy) as client, proxy.having(toxic):
        started = time.monotonic()
        client.sendall(b"ten bytes.")
        assert received(client, 10) == b"ten bytes."
        assert 0.15 < time.monotonic() - started < 4


def test_a_toxic_acts_on_its_direction(proxy: Proxy) -> None:
    """What goes upstream is counted apart from what comes back."""
    with connected(proxy) as client, proxy.having(LimitData(4, stream="upstream")):
        client.sendall(b"hello")
        assert received(client, 5) in {b"hell", b""}  # closing may overtake what comes back


def test_limited_data_ends_the_connection(proxy: Proxy) -> None:
    """The last byte within the limit still arrives."""
    with connected(proxy) as client, proxy.having(LimitData(4)):
        client.sendall(b"hello")
        assert received(client, 5) == b"hell"


def test_a_timeout_is_silence_until_it_is_taken_away(proxy: Proxy) -> None:
    """Nothing comes; a connection that waited is not of use afterwards, a new one is."""
    with connected(proxy, seconds=0.2) as client:
        with proxy.having(Timeout()):
            client.sendall(b"hello")
            with pytest.raises(TimeoutError):
                client.recv(5)
        client.settimeout(5)
        with pytest.raises(ConnectionResetError):
            client.recv(5)
    with connected(proxy) as client:
        client.sendall(b"hello")
        assert received(client, 5) == b"hello"


def test_a_timeout_closes_after_its_time(proxy: Proxy) -> None:
    with connected(proxy) as client, proxy.having(Timeout(0.1)):
        client.sendall(b"hello")
        assert client.recv(5) == b""


def test_a_reset_is_a_reset(proxy: Proxy) -> None:
    """Not an orderly end."""
    with connected(proxy) as client, proxy.having(ResetPeer(0.01)):
        client.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            client.recv(5)


@pytest.mark.calm
def test_a_slow_close_comes_later(proxy: Proxy) -> None:
    """The data does not wait for it."""
    with connected(proxy) as client, proxy.having(SlowClose(0.3)):
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
        started = time.monotonic()
        assert received(client, 5) == b"hello"
        assert time.monotonic() - started < 0.25
        assert client.recv(1) == b""
        assert time.monotonic() - started > 0.25


def test_what_is_down_refuses_and_comes_back(proxy: Proxy) -> None:
    """On the same port; open connections are gone."""
    with connected(proxy) as client:
        wait_until(lambda: proxy.open == 1, "the connection to be carried")
        with proxy.having(Down()):
            with pytest.raises(ConnectionResetError):
                client.recv(1)
            with pytest.raises(ConnectionRefusedError):
                connected(proxy)
        with connected(proxy) as again:
            again.sendall(b"hello")
            assert received(again, 5) == b"hello"


def test_a_target_that_is_away_closes() -> None:
    """As a balancer without a back end does."""
    with Proxy(1).running() as before_nothing, connected(before_nothing) as client:
        assert client.recv(1) == b""
