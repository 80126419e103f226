"""Bodies: read no farther than they may be."""

import pytest
from starlette.requests import Request
from starlette.types import Message

from personalize.errors import BadParameter, BodyTooLarge
from personalize.web import bodies


def request(*messages: Message) -> tuple[Request, list[Message]]:
    """Return a request whose body comes in these messages, and what is left of them."""
    left = list(messages)

    async def receive() -> Message:
        return left.pop(0)

    return Request({"type": "http", "method": "POST", "headers": []}, receive), left


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_is_its_parts() -> None:
    """Up to as many bytes as it may have."""
    told, _ = request(part(b"ab"), part(b"c", more=False))
    assert await bodies.read(told, 3) == b"abc"


async def test_too_large_a_body_is_not_read_to_its_end() -> None:
    """Whatever else would come."""
    told, left = request(part(b"ab"), part(b"cd"), part(b"ef", more=False))
    with pytest.raises(BodyTooLarge):
        await bodies.read(told, 3)
    assert len(left) == 1


async def test_a_body_that_breaks_off_is_none() -> None:
    """Half of it is not what was meant."""
    told, _ = request(part(b"ab"), {"type": "http.disconnect"})
    with pytest.raises(BadParameter, match="ended before it was whole"):
        await bodies.read(told, 3)
