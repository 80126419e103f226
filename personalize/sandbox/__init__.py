"""A local stand-in for Segment: its Profile API and Tracking API, with a demo blog and shop to try them on.

It shares no code with the client of those APIs, so that a misreading on one side shows on the other. What the commands
know of it is here; the rest, in `app`, is loaded where it runs.
"""

SPACE = "sandbox"
ACCESS_TOKEN = "sandbox-token"  # noqa: S105 - it opens nothing but this sandbox, and is printed in its documentation
WRITE_KEY = "sandbox-write-key"
DEFAULT_URL = "http://127.0.0.1:8100"
SERVICE_URL = "http://127.0.0.1:8000"
