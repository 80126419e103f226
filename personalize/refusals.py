"""Refusals: what a connection says of a request that its application never hears of."""

import uuid
from collections.abc import Iterable, Iterator
from http import HTTPStatus

import msgspec

from personalize.errors import PersonalizeError
from personalize.web.responses import NO_STORE, PROBLEM_JSON, PROTECTED, Problem

Marks = Iterable[tuple[str, str]]
"""Headers that say who may read an answer."""


def refusal(error: PersonalizeError, marks: Marks) -> bytes:
    """Return the whole answer, a problem; it is the last one of its connection."""
    status, request_id = HTTPStatus(error.status), str(uuid.uuid4())
    body = Problem("about:blank", status.phrase, status, str(error), error.code, request_id)
    encoded = msgspec.json.encode(body)
    headers = {
        **PROTECTED,
        "Cache-Control": NO_STORE,
        "Connection": "close",
        "Content-Length": str(len(encoded)),
        "Content-Type": PROBLEM_JSON,
        "X-Request-Id": request_id,
        **dict(marks),
        **({"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}),
    }
    return b"".join((f"HTTP/1.1 {status} {status.phrase}\r\n".encode(), *_lines(headers.items()), b"\r\n", encoded))


def _lines(headers: Marks) -> Iterator[bytes]:
    return (f"{name}: {value}\r\n".encode("latin-1") for name, value in headers)
