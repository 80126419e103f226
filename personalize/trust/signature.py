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

MAX_CALL_BYTES = 32 * 1024
"""Bytes of a call that is looked into for its signed part: Segment's own limit of one message."""

MAX_TOKENS = 8192
"""Strings, brackets and commas that are looked at for it: whoever sends some without a secret must not keep the event
loop busy, however many there are."""

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
        if not body.lstrip(b" \t\r\n").startswith(b"["):
            signed, rest = self._covered(body, claimed), tuple[bytes, ...]()
        elif self._covers(body, claimed):
            return Parts(_elements(body) or (body,))
        else:
            first = _first(body)
            signed = None if first is None else self._covered(first, claimed)
            rest = () if signed is None else _elements(body)[1:]
        if signed is None:
            raise BadSignature("The `X-Signature` header is not that of this body.")
        return Parts((signed,), rest)

    def _covers(self, text: bytes, claimed: str) -> bool:
        mac = self._mac.copy()
        mac.update(text)
        return hmac.compare_digest(mac.hexdigest(), claimed)

    def _covered(self, call: bytes, claimed: str) -> bytes | None:
        """Return what of a call is signed: all of it, or its first members as an object of their own."""
        if self._covers(call, claimed):
            return call
        if len(call) > MAX_CALL_BYTES:
            return None
        mac, start = self._mac.copy(), 0
        for end in islice(_ends(call), MAX_MEMBERS):
            mac.update(call[start:end])
            start, closed = end, mac.copy()
            closed.update(b"}")
            if hmac.compare_digest(closed.hexdigest(), claimed):
                return call[:end] + b"}"
        return None


class _Batch(msgspec.Struct, array_like=True):
    """An array of which the first element is wanted; the others are passed over, which is fast."""

    first: msgspec.Raw


def _first(body: bytes) -> bytes | None:
    """Return the exact bytes of an array's first element, if it has one."""
    try:
        return bytes(msgspec.json.decode(body, type=_Batch).first)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _elements(body: bytes) -> tuple[bytes, ...]:
    """Return the exact bytes of an array's elements."""
    try:
        elements = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ()
    if len(elements) > MAX_CALLS:
        raise BodyTooLarge(f"The batch has more than {MAX_CALLS} calls.")
    return tuple(bytes(one) for one in elements)


def _ends(call: bytes) -> Iterator[int]:
    """Yield where each member of an object ends but the last: before the commas between them, while it is near."""
    depth = 0
    for token in islice(_TOKEN.finditer(call), MAX_TOKENS):
        if token[0] in {b"{", b"["}:
            depth += 1
        elif token[0] in {b"}", b"]"}:
            depth -= 1
        elif token[0] == b"," and depth == 1:
            yield token.start()
