"""Listening: a socket, and an ASGI application that uvicorn answers on it."""

import asyncio
import errno
import math
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, cast

import uvicorn

from personalize.draining import QuietServer
from personalize.errors import ConfigurationError

ASGIApp: TypeAlias = Callable[..., Coroutine[Any, Any, None]]
Protocol: TypeAlias = Callable[..., asyncio.Protocol]
"""Makes what reads one connection."""

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 75
"""Longer than the 60 s of common balancers, so that it is never we who close a connection about to be used."""

DRAIN_SECONDS = 20
"""What a process is given when it is told to stop, for saying so and for the requests that are under way."""


def bind(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """Return a listening socket: connections made from now on wait until the service is up.

    Args:
        host: a name or an address, IPv6 without brackets.
        port: 0 takes one that is free.
        option: what the caller could have said instead, for the message.

    Raises:
        ConfigurationError: the address is taken, not ours, or not allowed.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        advice = f" Choose another with {option}." if error.errno in {errno.EADDRINUSE, errno.EACCES} else ""
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        reason = f"cannot listen on {where}: {error.strerror or error}"
        raise ConfigurationError(f"Personalize {reason}.{advice}") from None
    listener.set_inheritable(True)
    return listener


def url(host: str, listener: socket.socket) -> str:
    """Return the URL under which this machine reaches an address it listens on."""
    port = listener.getsockname()[1]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- compared, not bound
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


@contextmanager
def companion(app: ASGIApp, listener: socket.socket, leave: Callable[[], None] | None = None) -> Iterator[None]:
    """Serve a second application from a thread of this process while the body runs; call `leave` at its end."""
    server = QuietServer(config(app), leave)
    thread = threading.Thread(target=server.run, args=([listener],), name="companion", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=DRAIN_SECONDS)


def run(app: ASGIApp, listener: socket.socket, leave: Callable[[], None] | None = None) -> None:
    """Serve one application until told to stop, and call `leave` then."""
    QuietServer(config(app), leave).run([listener])


def config(
    app: ASGIApp | Callable[..., ASGIApp],
    protocol: Protocol | None = None,
    *,
    factory: bool = False,
    workers: int = 1,
    drain_delay: float = 0.0,
) -> uvicorn.Config:
    """Return how uvicorn serves an application.

    Args:
        app: the application, or with `factory` what makes it.
        protocol: reads connections in place of uvicorn's own.
        factory: whether each process makes its own application.
        workers: processes that answer side by side.
        drain_delay: seconds that a process goes on answering once it is told to stop.
    """
    return uvicorn.Config(
        app,
        # It is only ever called, and travels to the workers.
        http="auto" if protocol is None else cast("type[asyncio.Protocol]", protocol),
        factory=factory,
        workers=workers,
        lifespan="on",
        ws="none",
        access_log=False,  # its lines carry query strings, and so ids
        log_config=None,
        log_level="warning",
        proxy_headers=False,  # uvicorn would believe any process of this machine
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS - math.ceil(drain_delay),
    )
