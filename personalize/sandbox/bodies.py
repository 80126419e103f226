"""Bodies of requests: read no further than they may be long, and inflated where they were sent as gzip."""

import zlib

from starlette.requests import Request

from personalize.sandbox.answers import Refused

_GZIP = 16 + zlib.MAX_WBITS  # as zlib says it


class Inflater:
    """Inflates gzip piece by piece, and never much more than is asked for: a small body may hold a huge one."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)

    def more(self, piece: bytes, most: int) -> bytes:
        """Return what a piece holds, `most` bytes of it at the most.

        Raises:
            Refused: it is not gzip.
        """
        try:
            return self._stream.decompress(piece, most)
        except zlib.error:
            raise _not_gzip() from None

    def finish(self) -> None:
        """Check that nothing is missing.

        Raises:
            Refused: the body ended too early.
        """
        if not self._stream.eof:
            raise _not_gzip()


async def body(request: Request, maximum: int) -> bytes:
    """Return a request's body, reading no more of it than is allowed.

    Raises:
        Refused: it is larger than `maximum` bytes once it is inflated, or encoded otherwise than it says.
    """
    inflater = Inflater() if request.headers.get("content-encoding", "").lower() == "gzip" else None
    found = b""
    async for piece in request.stream():
        # One byte more than is left tells a body that is too large from one that just fits.
        found += inflater.more(piece, maximum + 1 - len(found)) if inflater else piece
        found = bounded(found, maximum)
    if inflater:
        inflater.finish()
    return found


def bounded(body: bytes, maximum: int) -> bytes:
    """Return a body that is not too large.

    Raises:
        Refused: 400, as it is; Segment does not answer 413.
    """
    if len(body) > maximum:
        raise Refused(400, "invalid_request_error", f"The call is larger than {maximum // 1024} KB.")
    return body


def _not_gzip() -> Refused:
    return Refused(400, "invalid_request_error", "The body is not gzip, though its Content-Encoding says so.")
