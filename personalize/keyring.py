"""The keys that identity tokens are signed with, as an operator writes them: `kid:secret`, or `kid:@file`."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import InvalidKeyError
from jwt.algorithms import HMACAlgorithm

Algorithm: TypeAlias = Literal["HS256", "ES256", "EdDSA"]
PublicKey: TypeAlias = EllipticCurvePublicKey | Ed25519PublicKey

MIN_SECRET_BYTES = 32
"""A key of HS256 is at least as long as its hash (RFC 7518, 3.2)."""

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


def public_key(pem: bytes) -> PublicKey:
    """Return a public key that is Ed25519 or on the curve P-256; raise `ValueError` for anything else."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("the file holds no public key as PEM") from None
    if isinstance(key, Ed25519PublicKey) or (isinstance(key, EllipticCurvePublicKey) and _is_p256(key)):
        return key
    raise ValueError("the key is neither Ed25519 (for EdDSA) nor on the curve P-256 (for ES256)")


def _key(entry: str, where: str) -> IdentityKey:
    match = _ENTRY.fullmatch(entry)
    if match is None:
        raise ValueError(
            f"{where}write `kid:secret`, or `kid:@file` with a public key, the kid of 64 letters and digits at most"
        )
    try:
        return _from_file(match["kid"], match["file"]) if match["file"] else _secret(match["kid"], match["secret"])
    except ValueError as error:
        raise ValueError(f"{where}{error}") from None


def _secret(kid: str, secret: str) -> IdentityKey:
    material = secret.encode()
    if len(material) < MIN_SECRET_BYTES:
        raise ValueError(f"write a secret of {MIN_SECRET_BYTES} bytes or more")
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(material)
    except InvalidKeyError:
        raise ValueError("this is a key pair's half, and no secret: write `kid:@file` for a public key") from None
    return IdentityKey(kid, "HS256", material)


def _from_file(kid: str, path: str) -> IdentityKey:
    try:
        pem = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from None
    if b"PRIVATE KEY-----" in pem:
        raise ValueError("the file holds a private key, which only those may have who sign: name the public one")
    algorithm: Algorithm = "EdDSA" if isinstance(public_key(pem), Ed25519PublicKey) else "ES256"
    return IdentityKey(kid, algorithm, pem)


def _is_p256(key: EllipticCurvePublicKey) -> bool:
    return isinstance(key.curve, SECP256R1)
