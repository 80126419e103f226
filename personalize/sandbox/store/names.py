"""Lists of names, as statements take them."""

from collections.abc import Iterable

import msgspec


def hexed(names: Iterable[str]) -> str:
    """Return names as JSON, each as SQLite's `hex` writes it: its JSON functions end a text at a NUL."""
    return msgspec.json.encode([name.encode().hex().upper() for name in names]).decode()
