"""Signatures: whether a webhook's call comes from Segment, and how much of it (`X-Signature`).

It is the hexadecimal HMAC-SHA1 of the body under the shared secret. Of a batch it covers the first call alone, and one
sender adds its own members to what it has signed: those that nobody signed could be anybody's.
"""

import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import msgspec

from personalize.errors import BadSignature, BodyTooLarge

MAX_CALLS = 2500
"""Calls of a batch, as Segment's own limit."""

MAX_MEMBERS = 64
"""Members of a call behind which its signed part may end: a forged one must not cost a digest for each of thousands."""

_HEXADECIMAL = re.compile(r"[0-9a-f]{40}")

# A string that does not end is one token up to the end: it must not be looked for again from each of its quotes.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Parts:
    """The calls of a body, each as its exact bytes: those that the signature covers, and those that it does not."""

    signed: tuple[bytes, ...]
    unsigned: tuple[bytes, ...] = ()


class Signatures:
    """Tells what somebody who knows the secret has signed.

    Args:
        secret: shared with the sender.
    """

    def __init__(self, secret: bytes) -> None:
        self._mac = hmac.new(secret, digestmod="sha1")

    def parts(self, body: bytes, signature: str | None) -> Parts:
        """Return the calls of a body by what the signature says of them.

        Raises:
            BadSignature: it is missing, or of nothing that is here.
            BodyTooLarge: a batch of more calls than Segment sends.
        """
        claimed = (signature or "").strip().lower()
        if _HEXADECIMAL.fullmatch(claimed) is None:
            raise BadSignature("The `X-Signature` header is missing, or is no hexadecimal HMAC-SHA1.")
        calls = _elements(body)
        if calls is None:
            covered, rest = self._covered(body, claimed), tuple[bytes, ...]()
        elif self._covers(body, claimed):
            return Parts(calls or (body,))
        else:
            covered, rest = self._covered(calls[0], claimed) if calls else None, calls[1:]
        if covered is None:
            raise BadSignature("The `X-Signature` header is not that of this body.")
        return Parts((covered,), rest)

    def _covers(self, text: bytes, claimed: str) -> bool:
        mac = self._mac.copy()
        mac.update(text)
        return hmac.compare_digest(mac.hexdigest(), claimed)

    def _covered(self, call: bytes, claimed: str) -> bytes | None:
        """Return what of a call is signed: all of it, or its first members as an object of their own."""
        if self._covers(call, claimed):
            return call
        mac, start = self._mac.copy(), 0
        for end in islice(_ends(call), MAX_MEMBERS):
            mac.update(call[start:end])
            start, closed = end, mac.copy()
            closed.update(b"}")
            if hmac.compare_digest(closed.hexdigest(), claimed):
                return call[:end] + b"}"
        return None


def _elements(body: bytes) -> tuple[bytes, ...] | None:
    """Return the exact bytes of an array's elements; `None` for what is no array."""
    if not body.lstrip(b" \t\r\n").startswith(b"["):
        return None
    try:
        elements = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ()
    if len(elements) > MAX_CALLS:
        raise BodyTooLarge(f"The batch has more than {MAX_CALLS} calls.")
    return tuple(bytes(one) for one in elements)


def _ends(call: bytes) -> Iterator[int]:
    """Yield where each member of an object ends but the last: before the commas between them."""
    depth = 0
    for token in _TOKEN.finditer(call):
        if token[0] in {b"{", b"["}:
            depth += 1
        elif token[0] in {b"}", b"]"}:
            depth -= 1
        elif token[0] == b"," and depth == 1:
            yield token.start()
