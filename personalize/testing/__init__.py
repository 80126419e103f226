"""What a recipe's tests use: visitors and events in one line, a recipe run over them, a whole service in memory.

Nothing here asks a network; what stands in for Segment stands at the transport and remembers what it was asked.
"""

from personalize.testing.profiles import NOW, Profile, event, post, visitor
from personalize.testing.recording import RecordingProfileApi
from personalize.testing.runs import RunOutcome, recipes_beside, run
from personalize.testing.services import API_KEY, client_of, service

__all__ = [
    "API_KEY",
    "NOW",
    "Profile",
    "RecordingProfileApi",
    "RunOutcome",
    "client_of",
    "event",
    "post",
    "recipes_beside",
    "run",
    "service",
    "visitor",
]
