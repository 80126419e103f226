"""Framing: where a request ends and the next one begins, as its head says (RFC 9112, 3.2 and 6).

A proxy in front has read the same head. What it and we could read differently is refused: else somebody could hide a
request in the body of another one.
"""

from collections.abc import Iterable

from personalize.errors import MalformedRequest


def announced(headers: Iterable[tuple[bytes, bytes]], version: str, *, upgrade: bool) -> int:
    """Return the length of the body that a head announces, 0 where it says none.

    Args:
        headers: by their lower-case names.
        version: of HTTP, like `1.1`.
        upgrade: whether another protocol is asked for: the parser skips the body of such a request, and would take it
            for the next one.

    Raises:
        MalformedRequest: not everybody would find the end at the same place, or ask the same host.
    """
    hosts, length, codings = 0, 0, list[bytes]()
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            codings.append(value.lower())
    if hosts > 1 or (version == "1.1" and not hosts):
        raise MalformedRequest("There has to be exactly one `Host` header.")
    if codings and (version != "1.1" or codings != [b"chunked"]):
        raise MalformedRequest("The `Transfer-Encoding` may be `chunked` in HTTP/1.1, and nothing else.")
    if upgrade and (codings or length):
        raise MalformedRequest("A request with `Upgrade` may have no body here.")
    return length
