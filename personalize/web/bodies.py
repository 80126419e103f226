"""Bodies of requests, read no farther than they may be."""

from starlette.requests import ClientDisconnect, Request

from personalize.errors import BadParameter, BodyTooLarge


async def read(request: Request, most: int) -> bytes:
    """Return a body of at most so many bytes, refusing a larger one before it is read whole.

    Raises:
        BodyTooLarge: it is larger.
        BadParameter: it ended before it was whole.
    """
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise BodyTooLarge(f"The body is larger than {most // 1024} KiB.")
    except ClientDisconnect:
        raise BadParameter("body", "ended before it was whole.") from None
    return bytes(body)
