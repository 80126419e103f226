"""Origins: which pages' scripts may read answers (Fetch standard, CORS protocol)."""

from collections.abc import Iterable, Iterator


class Origins:
    """The exact origins that a deployment allows; there are no wildcards, and `null` is nobody.

    Args:
        allowed: as browsers send them: scheme, host, and port unless it is the scheme's own.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(allowed)

    def __contains__(self, origin: object) -> bool:
        return origin in self._allowed

    def __iter__(self) -> Iterator[str]:
        return iter(self._allowed)
