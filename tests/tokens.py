"""Identity tokens of tests: good ones, and whatever else somebody could send in their place."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from personalize.keyring import IdentityKey

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

SECRET = "fake-secret-of-thirty-two-letters"
OTHER_SECRET = "another-fake-secret-of-32-letters"
EC_KEY = ec.derive_private_key(17, ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.from_private_bytes(b"fake-seed-of-thirty-two-letters!")

WEB = IdentityKey("web", "HS256", SECRET.encode())


LIFETIME = 3500
"""Seconds that a token is good for: longer than all tests take together, for some are made before the first one."""


def public_pem(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def claims(sub: object = "user_id:ada", **others: object) -> dict[str, object]:
    """Return what a good token says, but for what is told otherwise; `None` leaves a claim out."""
    told = {"sub": sub, "aud": "personalize", "exp": int(time.time()) + LIFETIME, **others}
    return {name: value for name, value in told.items() if value is not None}


def minted(sub: object = "user_id:ada", *, kid: str | None = "web", secret: str = SECRET, **others: object) -> str:
    """Return a token of an HS256 key; a claim may be told otherwise."""
    header = {"alg": "HS256", **({} if kid is None else {"kid": kid})}
    return hs256(header, claims(sub, **others), secret.encode())


def hs256(header: Mapping[str, object], payload: object, secret: bytes) -> str:
    """Return a token with any header and payload, signed with any bytes."""
    signed = unsigned(header, payload)
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def es256(payload: object, key: ec.EllipticCurvePrivateKey = EC_KEY, **header: object) -> str:
    """Return a token that is signed as RFC 7518, 3.4 says: both numbers, 32 bytes each."""
    signed = unsigned({"alg": "ES256", **header}, payload)
    pair = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256())))
    return f"{signed}.{part(b''.join(number.to_bytes(32, 'big') for number in pair))}"


def eddsa(payload: object, key: ed25519.Ed25519PrivateKey = ED_KEY, **header: object) -> str:
    """Return a token that is signed as RFC 8037 says."""
    signed = unsigned({"alg": "EdDSA", **header}, payload)
    return f"{signed}.{part(key.sign(signed.encode()))}"


def unsigned(header: object, payload: object) -> str:
    """Return a token's first two parts."""
    return f"{part(_json(header))}.{part(_json(payload))}"


def part(content: bytes) -> str:
    """Return base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def bearer(proof: str) -> dict[str, str]:
    """Return the header that carries a key or a token."""
    return {"Authorization": f"Bearer {proof}"}


def _json(value: object) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()
