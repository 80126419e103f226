"""What somebody could try who is not whom they ask about: broken proofs, and good ones of somebody else."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from personalize.testing import API_KEY
from tests.doubles import UUID
from tests.tokens import EC_KEY, ED_KEY, OTHER_SECRET, SECRET, claims, eddsa, es256, hs256, minted, part, public_pem
from tests.tokens import unsigned as first_parts

OTHER_UUID = "0c7d1a3e-52f4-4b0e-9a61-7f3e2d9c8b15"
GUESSABLE = "visitor-17"

Proofs = list[tuple[str, str]]

_RSA = rsa.generate_private_key(65537, 2048)
_STRANGER = ec.derive_private_key(99, ec.SECP256R1())


def identity_keys(folder: Path) -> str:
    """Return the setting of a service with a live key of each kind."""
    for name, key in (("mobile", EC_KEY), ("shop", ED_KEY)):
        (folder / f"{name}.pem").write_bytes(public_pem(key))
    return f"web:{SECRET},mobile:@{folder}/mobile.pem,shop:@{folder}/shop.pem"


def carrying(*proofs: str) -> Proofs:
    """Return `Authorization` headers, one a proof."""
    return [("Authorization", f"Bearer {proof}") for proof in proofs]


def _rs256(kid: str) -> str:
    signed = first_parts({"alg": "RS256", "kid": kid}, claims())
    return f"{signed}.{part(_RSA.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"


def _at(exp: float, nbf: float = 0, iat: float = 0) -> str:
    """Return a token whose times are so many seconds from now."""
    now = time.time()
    return minted(exp=now + exp, nbf=now + nbf, iat=now + iat)


def _tampered() -> str:
    """Return a good token with another payload."""
    header, _, signature = minted("user_id:ada").split(".")
    return f"{header}.{first_parts({}, claims('user_id:bob')).split('.')[1]}.{signature}"


BROKEN: Mapping[str, Callable[[], Proofs]] = {
    "no algorithm": lambda: carrying(first_parts({"alg": "none", "kid": "web"}, claims()) + "."),
    "no algorithm, in capitals": lambda: carrying(first_parts({"alg": "NONE", "kid": "mobile"}, claims()) + "."),
    "no signature": lambda: carrying(first_parts({"alg": "HS256", "kid": "web"}, claims()) + "."),
    "a public key as a secret": lambda: carrying(
        hs256({"alg": "HS256", "kid": "mobile"}, claims(), public_pem(EC_KEY))
    ),
    "the same for EdDSA": lambda: carrying(hs256({"alg": "HS256", "kid": "shop"}, claims(), public_pem(ED_KEY))),
    "RSA under the name of a secret": lambda: carrying(_rs256("web")),
    "RSA under the name of a curve": lambda: carrying(_rs256("mobile")),
    "an elliptic curve under the name of a secret": lambda: carrying(es256(claims(), kid="web")),
    "another curve's key": lambda: carrying(eddsa(claims(), kid="mobile")),
    "the wrong key under a known name": lambda: carrying(minted(secret=OTHER_SECRET)),
    "the wrong pair under a known name": lambda: carrying(es256(claims(), _STRANGER, kid="mobile")),
    "an unknown name": lambda: carrying(minted(kid="nobody")),
    "no name": lambda: carrying(minted(kid=None)),
    "another payload": lambda: carrying(_tampered()),
    "expired": lambda: carrying(_at(exp=-61)),
    "good for too long": lambda: carrying(_at(exp=3600 + 120)),
    "not good yet": lambda: carrying(_at(exp=900, nbf=120)),
    "signed in the future": lambda: carrying(_at(exp=900, iat=120)),
    "without an end": lambda: carrying(minted(exp=None)),
    "about nobody": lambda: carrying(minted(None)),
    "without an audience": lambda: carrying(minted(aud=None)),
    "for another audience": lambda: carrying(minted(aud="shop")),
    "about a type of our own": lambda: carrying(minted("group_id:acme")),
    "about an id alone": lambda: carrying(minted("ada")),
    "an unknown key": lambda: carrying("fake-key-of-nobody-at-all"),
    "a part of a key": lambda: carrying(API_KEY[:-1]),
    "another scheme": lambda: [("Authorization", f"Basic {API_KEY}")],
    "no scheme": lambda: [("Authorization", minted())],
    "nothing": lambda: [("Authorization", "")],
    "two tokens": lambda: carrying(minted("user_id:ada"), minted("user_id:bob")),
    "a token twice": lambda: carrying(*[minted("user_id:bob")] * 2),
    "a token before a key": lambda: carrying(minted("user_id:bob"), API_KEY),
    "a key before a token": lambda: carrying(API_KEY, minted("user_id:bob")),
    "two in one header": lambda: carrying(f"{minted('user_id:ada')}, Bearer {minted('user_id:bob')}"),
}
"""Headers that prove nothing, whatever is asked: each is made when it is needed, for they are about now."""


@dataclass(frozen=True)
class Stranger:
    """Somebody, by the subject of a good token if they have one, who asks about ids that are not theirs."""

    sub: str | None
    ids: Mapping[str, str] = field(hash=False)

    @property
    def proofs(self) -> Proofs:
        return [] if self.sub is None else carrying(minted(self.sub))

    def __str__(self) -> str:
        asked = "&".join(f"{name}={value}" for name, value in self.ids.items())
        return f"{self.sub or 'anybody'} asks {asked}"


BOB = {"user_id": "bob"}
GUESSED = {"anonymous_id": GUESSABLE}
RANDOM = {"anonymous_id": OTHER_UUID}
BY_ANOTHER_NAME = {"external_id": "user_id:bob"}

STRANGERS = [
    *(
        Stranger(sub, ids)
        for sub in (None, "user_id:ada", f"anonymous_id:{UUID}", "anonymous_id:visitor-1")
        for ids in (
            BOB,
            {"user_id": "nobody"},
            {"user_id": OTHER_UUID},
            BOB | RANDOM,
            BOB | GUESSED,
            GUESSED,
            BY_ANOTHER_NAME,
            RANDOM | BY_ANOTHER_NAME,
            {"external_id": f"anonymous_id:{OTHER_UUID}"},
            {"external_id": "loyalty:l1"},
            BOB | {"group_id": "acme"},
        )
    ),
    Stranger("user_id:ada", {"user_id": "ada", **GUESSED}),
    Stranger("user_id:ada", {"user_id": "ada", **BY_ANOTHER_NAME}),
    Stranger("user_id:ada", {"external_id": "user_id:ada"}),
    Stranger("user_id:ada", {"anonymous_id": "ada"}),
    Stranger("user_id:ada", {"user_id": "Ada"}),
    Stranger("user_id:ada", {"user_id": "ada "}),
    Stranger("user_id:ada", {"user_id": "user_id:ada"}),
    Stranger(f"anonymous_id:{UUID}", {"user_id": UUID}),
    Stranger(f"anonymous_id:{UUID}", RANDOM),
    Stranger(f"anonymous_id:{UUID}", {"user_id": "bob", "anonymous_id": UUID}),
    Stranger("anonymous_id:bob", BOB),
    Stranger("anonymous_id:visitor-1", RANDOM),
]
"""Whom no verified recipe answers."""
