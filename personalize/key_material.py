"""What identity tokens are verified with: secrets, and public keys as PEM. What is wrong with one is told."""

from typing import Literal, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import InvalidKeyError
from jwt.algorithms import HMACAlgorithm

PublicKey: TypeAlias = EllipticCurvePublicKey | Ed25519PublicKey

MIN_SECRET_BYTES = 32
"""A key of HS256 is at least as long as its hash (RFC 7518, 3.2)."""


def secret(material: bytes) -> bytes:
    """Return a secret of HS256; raise `ValueError` for what is none."""
    if len(material) < MIN_SECRET_BYTES:
        raise ValueError(f"write a secret of {MIN_SECRET_BYTES} bytes or more")
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(material)
    except InvalidKeyError:
        raise ValueError("this is a key pair's half, and no secret: write `kid:@file` for a public key") from None
    return material


def algorithm_of(pem: bytes) -> Literal["ES256", "EdDSA"]:
    """Return what a public key is good for; raise `ValueError` for any other key."""
    if b"PRIVATE KEY-----" in pem:
        raise ValueError("the file holds a private key, which only those may have who sign: name the public one")
    return "EdDSA" if isinstance(public_key(pem), Ed25519PublicKey) else "ES256"


def public_key(pem: bytes) -> PublicKey:
    """Return a public key that is Ed25519 or on the curve P-256; raise `ValueError` for anything else."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("the file holds no public key as PEM") from None
    if isinstance(key, Ed25519PublicKey) or (isinstance(key, EllipticCurvePublicKey) and _is_p256(key)):
        return key
    raise ValueError("the key is neither Ed25519 (for EdDSA) nor on the curve P-256 (for ES256)")


def _is_p256(key: EllipticCurvePublicKey) -> bool:
    return isinstance(key.curve, SECP256R1)
