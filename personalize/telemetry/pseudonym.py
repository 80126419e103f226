"""Keyed hashes that stand for external ids wherever one could be read: Redis keys, logs, metrics."""

from hashlib import blake2b

DIGEST_BYTES = 16


class Pseudonyms:
    """Turns an id into a hash that cannot be guessed back without the key, as even short numeric ids could be.

    Args:
        key: at least one byte; the same on every replica, so that they share cached profiles.
    """

    def __init__(self, key: bytes) -> None:
        if not key:
            raise ValueError("a keyed hash needs a key")
        self._key = blake2b(key, digest_size=64).digest()
        self._last: tuple[str, str, str] | None = None

    @classmethod
    def of_space(cls, space_id: str) -> "Pseudonyms":
        """Return the hashes of a deployment that has no key of its own: derived from the space, so not a secret."""
        return cls(b"personalize:" + space_id.encode())

    def __call__(self, collection: str, external_id: str) -> str:
        """Return 32 hexadecimal digits for `user_id:u1` of a collection; who asks once often asks again at once."""
        last = self._last
        if last is None or last[:2] != (collection, external_id):
            told = f"{collection}\0{external_id}".encode()
            digest = blake2b(told, digest_size=DIGEST_BYTES, key=self._key).hexdigest()
            last = self._last = (collection, external_id, digest)
        return last[2]

    def __repr__(self) -> str:
        return "Pseudonyms(key=***)"
