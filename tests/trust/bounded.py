"""Runs the service with other bounds than the usual: `python -m tests.trust.bounded WORKERS '{"receive": 0.5}'`."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from personalize import listening, server, settings
from personalize.protocol import Bounds
from tests.doubles import ORIGIN, environment
from tests.processes import PYTHON, START_SECONDS, Running, module, running, wait_for_urls, wait_until


@contextmanager
def serving(bounds: Mapping[str, float], workers: int = 1, shell: str = "") -> Iterator[tuple[str, Running]]:
    """Run a service with these bounds, started by a shell that has done something before, until the body is done."""
    told = [str(workers), json.dumps(bounds)]
    settings = environment(ALLOWED_ORIGINS=ORIGIN, DRAIN_DELAY="0s")
    before = ["sh", "-c", f'{shell}; exec "$@"', "sh", PYTHON, "-m", __name__]
    with running([*before, *told], settings) if shell else module(__name__, *told, environment=settings) as run:
        [url] = wait_for_urls(run, 1)
        wait_until(
            lambda: run.output.count("service_started") >= workers, f"{workers} workers", workers * START_SECONDS
        )
        yield url, run


def main() -> None:
    """Listen on a free port, and say where."""
    _, workers, bounds = sys.argv
    with listening.bind("127.0.0.1", 0) as listener:
        service = server.Service(settings.load(), workers=int(workers), bounds=Bounds(**json.loads(bounds)))
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201 -- whoever started it waits for it
        service.run(listener)


if __name__ == "__main__":
    main()
