"""Runs the service with other bounds than the usual: `python -m tests.trust.bounded WORKERS '{"receive": 0.5}'`."""

import json
import sys

from personalize import server, settings
from personalize.protocol import Bounds


def main() -> None:
    """Listen on a free port, and say where."""
    _, workers, bounds = sys.argv
    with server.bind("127.0.0.1", 0) as listener:
        service = server.Service(settings.load(), workers=int(workers), bounds=Bounds(**json.loads(bounds)))
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201 -- whoever started it waits for it
        service.run(listener)


if __name__ == "__main__":
    main()
