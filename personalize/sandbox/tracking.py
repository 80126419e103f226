"""The Tracking API: `POST /v1/identify`, `track`, `page`, `screen`, `group`, `alias` and `batch`."""

from starlette.requests import Request
from starlette.responses import Response

from personalize.sandbox.answers import Invalid, json, no_such_route, wrong_method
from personalize.sandbox.bodies import body
from personalize.sandbox.credentials import require_username
from personalize.sandbox.dropped import Dropped
from personalize.sandbox.journal import CALLS, Journal
from personalize.sandbox.messages import BATCH_BYTES, CALL_BYTES, batched
from personalize.sandbox.rawpath import segments

BATCH = "batch"


class TrackingApi:
    """Answers `{"success": true}` to whatever is JSON and not too large, as Segment does.

    Args:
        journal: what applies calls.
        dropped: where those go that are not valid.
        write_key: what a caller's Basic username must be.
    """

    def __init__(self, journal: Journal, dropped: Dropped, *, write_key: str) -> None:
        self._journal = journal
        self._dropped = dropped
        self._write_key = write_key

    async def answer(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            Refused: it is not allowed, too large or not JSON; then nothing is applied.
        """
        require_username(request, self._write_key)
        match segments(request.scope):
            case ["v1", route] if route in CALLS or route == BATCH:
                if request.method != "POST":
                    raise wrong_method("POST")
                self._take(route, await body(request, BATCH_BYTES if route == BATCH else CALL_BYTES))
            case _:
                raise no_such_route()
        return json({"success": True})

    def _take(self, route: str, sent: bytes) -> None:
        """Apply what was sent, and drop what of it is not valid."""
        try:
            calls = batched(sent) if route == BATCH else [(route, sent)]
        except Invalid as odd:
            self._dropped.add(route, sent, odd.message)
            return
        for one in self._journal.take(calls):
            self._dropped.add(*one)
