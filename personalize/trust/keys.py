"""API keys: how our own servers prove who they are."""

import hashlib
import hmac
from collections.abc import Iterable


class ApiKeys:
    """Recognises keys without holding them.

    Args:
        digests: the name and the SHA-256 of each live key; two of one name may live side by side.
    """

    def __init__(self, digests: Iterable[tuple[str, bytes]]) -> None:
        self._digests = tuple(digests)

    def name_of(self, key: str) -> str | None:
        """Return the name of a key, if it is live; the same work is done for one that is not."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        names = [name for name, known in self._digests if hmac.compare_digest(known, digest)]
        return names[0] if names else None
