"""A local stand-in for Segment: its Profile API and Tracking API, with a demo blog and shop to try them on.

It shares no code with the client of those APIs, so that a misreading on one side shows on the other.
"""

from personalize.sandbox.app import ACCESS_TOKEN, DEFAULT_URL, SPACE, WRITE_KEY, create_sandbox

__all__ = ["ACCESS_TOKEN", "DEFAULT_URL", "SPACE", "WRITE_KEY", "create_sandbox"]
