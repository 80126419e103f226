"""Serving: the service of a deployment in one process or several, and what reaches it as signals."""

import gc
import resource
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry

from personalize import listening, supervision
from personalize.app.application import Application, create_app, create_metrics_app
from personalize.app.recipes import load_recipes
from personalize.draining import DrainingServer
from personalize.errors import ConfigurationError
from personalize.installed import version
from personalize.listening import Protocol, config
from personalize.protocol import USUAL, BoundedProtocol, Bounds
from personalize.registry import Registry, files_of, modules_of
from personalize.reloading import Reloading, edits, hangups
from personalize.settings import Settings, renewed
from personalize.telemetry import exposition, libraries, logs, tracing
from personalize.telemetry.metrics import Metrics
from personalize.trust.origins import Origins

FILES_BESIDE = 300
"""Files that a process may open beside its callers' connections: those to Segment and Redis, feeds, its own."""

GARBAGE = (10_000, 20, 20)
"""How much is made before it is looked through for garbage, of the three ages of it: an answer makes some two hundred
objects, none of which refer to each other, and by Python's own 700 every third answer would pay for a look."""


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
        self._origins = Origins(settings.allowed_origins)
        self._leaving = threading.Event()
        # With several workers each makes its own application, and this one has told what is wrong.
        self._replica = _Replica(settings, self._leaving)

    @property
    def recipes(self) -> Registry:
        """The recipes that are served."""
        return self._replica.recipes

    def run(self, listener: socket.socket, *, reload: bool = False) -> None:
        """Answer requests until told to stop by SIGTERM or SIGINT; with `reload`, as the recipes are edited.

        SIGHUP loads the recipes and the access token's file again.

        Raises:
            ConfigurationError: the metrics' own port is not to be had, or no worker can start.
        """
        host, protocol = listener.getsockname()[0], self._protocol()
        with ExitStack() as stack:
            directory = stack.enter_context(supervision.directory()) if self._workers > 1 else None
            if self._settings.metrics_port is not None:
                option = "PERSONALIZE_METRICS_PORT"
                own = stack.enter_context(listening.bind(host, self._settings.metrics_port, option=option))
                stack.enter_context(listening.companion(create_metrics_app(self._shown(directory)), own))
            if directory is None:
                self._alone(listener, protocol, reload=reload)
            else:
                self._together(listener, protocol, directory)

    def _alone(self, listener: socket.socket, protocol: Protocol, *, reload: bool) -> None:
        app, delay = self._replica.reloading(edited=reload), self._settings.drain_delay
        DrainingServer(config(app, protocol, drain_delay=delay), self._leaving, delay).run([listener])

    def _together(self, listener: socket.socket, protocol: Protocol, directory: Path) -> None:
        make, delay = partial(_replicated, self._settings, directory), self._settings.drain_delay
        replicated = config(make, protocol, factory=True, workers=self._workers, drain_delay=delay)
        supervision.Workers(replicated, listener, directory, delay=delay).run()

    def _protocol(self) -> Protocol:
        """Return what reads connections within the bounds."""
        return partial(BoundedProtocol, bounds=_fitting(self._bounds), origins=self._origins)

    def _shown(self, directory: Path | None) -> exposition.Exposition:
        if directory is None:
            return exposition.of_process(self._replica.metrics.registry)
        return exposition.of_workers(directory)


class _Replica:
    """What makes the applications of one process: one at the start, and others when it is told to load anew.

    Args:
        settings: what the deployment says about itself.
        leaving: set when the process is told to go.
        counted_in: where several processes count, if they do.
    """

    def __init__(self, settings: Settings, leaving: threading.Event, counted_in: Path | None = None) -> None:
        logs.configure(settings.log_format)
        libraries.listen()
        if settings.traces_url is not None:
            url = settings.traces_url.get_secret_value()
            tracing.configure(url, share=float(settings.traces_share), version=version())
        self.metrics = Metrics(CollectorRegistry())
        self._settings = settings
        self._leaving = leaving
        self._shown = None if counted_in is None else exposition.of_workers(counted_in)
        self.recipes = load_recipes(settings)
        self._first = self._application(settings)
        gc.freeze()  # what was loaded stays: looking through it for garbage took a third of the time of a cold cache
        gc.set_threshold(*GARBAGE)

    def reloading(self, *, edited: bool = False) -> Reloading:
        """Return what serves the newest of the applications: with `edited`, also when recipes' files are edited."""
        again: list[Callable[[], AsyncIterator[object]]] = [hangups]
        if edited:
            again.append(partial(edits, self._files))
        return Reloading(self._first, self._again, *again)

    def _again(self) -> Application:
        settings = renewed(self._settings)
        self.recipes = load_recipes(settings)
        for module in modules_of(settings.recipes):
            logs.module_kept(module)
        return self._application(settings)

    def _application(self, settings: Settings) -> Application:
        return create_app(
            settings, recipes=self.recipes, metrics=self.metrics, shown=self._shown, leaving=self._leaving.is_set
        )

    def _files(self) -> Iterator[Path]:
        """Yield what may be edited under the running service: recipes in files, and their templates."""
        yield from files_of(self._settings.recipes)
        yield from (recipe.template for recipe in self.recipes.values() if recipe.template)


def _replicated(settings: Settings, counted_in: Path, leaving: threading.Event) -> Reloading:
    """Return what a worker serves, with the token that is in its file by now: it may replace one that died."""
    with suppress(ConfigurationError):
        settings = renewed(settings)
    return _Replica(settings, leaving, counted_in).reloading()


def _fitting(bounds: Bounds) -> Bounds:
    """Return bounds whose connections this process, and those that it starts, may open; each is an open file."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = bounds.connections + FILES_BESIDE
    if allowed < wanted:
        allowed = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    return replace(bounds, connections=min(bounds.connections, max(1, allowed - FILES_BESIDE)))
