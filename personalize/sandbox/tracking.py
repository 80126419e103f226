"""The Tracking API: `POST /v1/identify`, `track`, `page`, `screen`, `group`, `alias` and `batch`."""

from starlette.requests import Request
from starlette.responses import Response

from personalize.sandbox.answers import json, no_such_route, wrong_method
from personalize.sandbox.credentials import require_username
from personalize.sandbox.journal import CALLS, Journal
from personalize.sandbox.messages import BATCH_BYTES, CALL_BYTES, batched, bounded
from personalize.sandbox.rawpath import segments


class TrackingApi:
    """Answers `{"success": true}` when all calls of a request are applied.

    Args:
        journal: what applies them.
        write_key: what a caller's Basic username must be.
    """

    def __init__(self, journal: Journal, *, write_key: str) -> None:
        self._journal = journal
        self._write_key = write_key

    async def answer(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            Refused: it is not allowed, too large or not valid; then nothing is applied.
        """
        require_username(request, self._write_key)
        match segments(request.scope):
            case ["v1", "batch"]:
                self._journal.write(batched(await _body(request, BATCH_BYTES)))
            case ["v1", route] if route in CALLS:
                self._journal.write([(route, await _body(request, CALL_BYTES))])
            case _:
                raise no_such_route()
        return json({"success": True})


async def _body(request: Request, maximum: int) -> bytes:
    """Return a request's body, reading no more of it than is allowed."""
    if request.method != "POST":
        raise wrong_method("POST")
    body = b""
    async for chunk in request.stream():
        body = bounded(body + chunk, maximum)
    return body
