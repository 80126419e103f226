"""Serving: sockets, workers and signals around uvicorn."""

import asyncio
import errno
import resource
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, cast

import uvicorn
from prometheus_client import CollectorRegistry

from personalize import supervision
from personalize.app import Application, create_app, load_recipes
from personalize.errors import ConfigurationError
from personalize.protocol import USUAL, BoundedProtocol, Bounds
from personalize.registry import Registry, files_of
from personalize.reloading import Reloading, edits
from personalize.settings import Settings
from personalize.telemetry import exposition, logs
from personalize.telemetry.metrics import Metrics

ASGIApp: TypeAlias = Callable[..., Coroutine[Any, Any, None]]

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 75
"""Longer than the 60 s of common balancers, so that it is never we who close a connection about to be used."""

FILES_BESIDE = 300
"""Files that a process may open beside its callers' connections: those to Segment and Redis, feeds, its own."""

DRAIN_SECONDS = 20
"""What requests under way are given when the service is told to stop."""


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


class Service:
    """The service of a deployment, put together but not yet listening.

    Args:
        settings: what the deployment says about itself.
        workers: processes that answer side by side.
        bounds: what a client may send.

    Raises:
        ConfigurationError: the settings do not make a service.
    """

    def __init__(self, settings: Settings, *, workers: int = 1, bounds: Bounds = USUAL) -> None:
        settings = settings.model_copy(update={"fleet_size": settings.fleet_size or workers})
        self._settings = settings
        self._workers = workers
        self._bounds = bounds
        self.recipes = load_recipes(settings)
        # With several workers each makes its own application, and this one has told what is wrong.
        self._metrics = Metrics(CollectorRegistry())
        self._app = _application(settings, self.recipes, self._metrics)

    def run(self, listener: socket.socket, *, reload: bool = False) -> None:
        """Answer requests until told to stop by SIGTERM or SIGINT; with `reload`, as the recipes are edited."""
        bounds = _fitting(self._bounds)
        if reload:
            run(Reloading(self._app, self._edited, partial(edits, self._files)), listener, bounds)
        elif self._workers == 1:
            run(self._app, listener, bounds)
        else:
            with supervision.directory() as directory:
                make = partial(_application, self._settings, counted_in=directory)
                config = _config(make, bounds, factory=True, workers=self._workers)
                supervision.Workers(config, listener, directory).run()

    def _edited(self) -> Application:
        self.recipes = load_recipes(self._settings)
        return _application(self._settings, self.recipes, self._metrics)

    def _files(self) -> Iterator[Path]:
        """Yield what may be edited under the running service: recipes in files, and their templates."""
        yield from files_of(self._settings.recipes)
        yield from (recipe.template for recipe in self.recipes.values() if recipe.template)


@contextmanager
def companion(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """Serve a second application from a thread of this process while the body runs."""
    server = QuietServer(_config(app))
    thread = threading.Thread(target=server.run, args=([listener],), name="companion", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=DRAIN_SECONDS)


def run(app: ASGIApp, listener: socket.socket, bounds: Bounds | None = None) -> None:
    """Serve one application until told to stop; within bounds, if there are any."""
    QuietServer(_config(app, bounds)).run([listener])


class QuietServer(uvicorn.Server):
    """A server whose process ends with status 0 when it is told to stop, as supervisors and `make` expect.

    uvicorn would raise the signal again once it has drained, and so end with 143 or a traceback.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals as uvicorn does, then forget them."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def _application(
    settings: Settings,
    recipes: Registry | None = None,
    metrics: Metrics | None = None,
    counted_in: Path | None = None,
) -> Application:
    """Return the service of one process; `counted_in` is where several of them count."""
    logs.configure(settings.log_format)
    shown = None if counted_in is None else exposition.of_workers(counted_in)
    return create_app(settings, recipes=recipes, metrics=metrics, shown=shown)


def _fitting(bounds: Bounds) -> Bounds:
    """Return bounds whose connections this process, and those that it starts, may open; each is an open file."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = bounds.connections + FILES_BESIDE
    if allowed < wanted:
        allowed = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    return replace(bounds, connections=min(bounds.connections, max(1, allowed - FILES_BESIDE)))


def _config(
    app: ASGIApp | Callable[[], ASGIApp], bounds: Bounds | None = None, *, factory: bool = False, workers: int = 1
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        # It is only ever called, and travels to the workers.
        http="auto" if bounds is None else cast("type[asyncio.Protocol]", partial(BoundedProtocol, bounds=bounds)),
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
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
