"""The service and its sandbox in one process, as pages of tests ask them."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.processes import personalize, wait_for_urls, wait_until_ready
from tests.sites import Site


@contextmanager
def started(**settings: str) -> Iterator[Site]:
    """Run both with these settings, until the body is done."""
    named = {f"PERSONALIZE_{name}": value for name, value in settings.items()}
    with personalize("serve", "--sandbox", "--port", "0", "--sandbox-port", "0", environment=named) as run:
        service, sandbox = wait_for_urls(run, 2)
        wait_until_ready(service)
        yield Site(service, sandbox, run)
