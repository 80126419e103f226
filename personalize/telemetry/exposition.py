"""Showing the metrics: those of this process, or of all workers of a service as one."""

from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, exposition
from prometheus_client.multiprocess import MultiProcessCollector

Shown = tuple[bytes, str]
"""What a scraper gets, and its content type."""

Exposition = Callable[[str], Shown]
"""Shows the metrics in the format that a scraper accepts."""


def of_process(registry: CollectorRegistry) -> Exposition:
    """Return what shows the metrics of this process alone."""
    return lambda accept: _shown(registry, accept)


def of_workers(directory: Path) -> Exposition:
    """Return what adds up all workers, living and gone, by the files that they keep in a directory."""

    def show(accept: str) -> Shown:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(directory))  # type: ignore[no-untyped-call]  # prometheus_client's, untyped
        return _shown(registry, accept)

    return show


def _shown(registry: CollectorRegistry, accept: str) -> Shown:
    try:
        encoder, content_type = exposition.choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is no number
        encoder, content_type = exposition.choose_encoder("")
    return encoder(registry), content_type
