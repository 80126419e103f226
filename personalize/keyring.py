"""The keys that identity tokens are signed with, as an operator writes them: `kid:secret`, or `kid:@file`."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

Algorithm: TypeAlias = Literal["HS256", "ES256", "EdDSA"]

_ENTRY = re.compile(r"(?P<kid>[\w.+/=-]{1,64}):(?:@(?P<file>.+)|(?P<secret>.+))", re.ASCII)


@dataclass(frozen=True, slots=True)
class IdentityKey:
    """One live key, and the one algorithm that it is good for: what a token says of its own does not count.

    `material` is the secret itself for HS256, else a public key as PEM, by which nobody can sign.
    """

    kid: str
    algorithm: Algorithm
    material: bytes = field(repr=False)


def parsed(text: str) -> tuple[IdentityKey, ...]:
    """Return the keys of a comma-separated list, reading the files that it names.

    Raises:
        ValueError: names the entry by its number, for it may be a secret.
    """
    entries = [part.strip() for part in text.split(",") if part.strip()]
    keys = tuple(_key(entry, f"entry {number}: ") for number, entry in enumerate(entries, start=1))
    for number, key in enumerate(keys, start=1):
        if key.kid in {one.kid for one in keys[: number - 1]}:
            raise ValueError(f"entry {number}: there is a key of this kid already")
    return keys


def _key(entry: str, where: str) -> IdentityKey:
    match = _ENTRY.fullmatch(entry)
    if match is None:
        raise ValueError(
            f"{where}write `kid:secret`, or `kid:@file` with a public key, the kid of 64 letters and digits at most"
        )
    try:
        return IdentityKey(match["kid"], *_read(match["file"], match["secret"]))
    except ValueError as error:
        raise ValueError(f"{where}{error}") from None


def _read(file: str | None, secret: str) -> tuple[Algorithm, bytes]:
    """Return what a key is good for, and its material."""
    from personalize import key_material  # noqa: PLC0415 -- cryptography, a tenth of a command, for those who have keys

    if file is None:
        return "HS256", key_material.secret(secret.encode())
    try:
        pem = Path(file).read_bytes()
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from None
    return key_material.algorithm_of(pem), pem
