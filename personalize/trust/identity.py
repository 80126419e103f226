"""Identity tokens: how a visitor's page proves who the visitor is (JSON Web Tokens, RFC 7519 and RFC 8725)."""

import hashlib
import time
from collections.abc import Callable, Sequence

import jwt
import msgspec
from cachetools import LRUCache

from personalize.errors import BadCredentials, BadParameter
from personalize.key_material import PublicKey, public_key
from personalize.keyring import IdentityKey
from personalize.model import ExternalId
from personalize.trust.ids import IdRules

MAX_LIFETIME = 3600
"""Seconds that a token may be good for: nobody can take one back."""

LEEWAY = 60
"""Seconds by which the clock of who signed may differ from ours."""

MAX_LENGTH = 4096
"""Characters of a token that is looked at: one that names an id of 255 characters has about a thousand."""

REMEMBERED = 4096
"""Tokens whose signature need not be verified again: 2 MB or so. Verifying one costs 40 to 120 µs."""

SUBJECT_TYPES = frozenset({"user_id", "anonymous_id"})
"""Whom a token may name: a visitor, and no account."""

_JWS = jwt.PyJWS()


class Claims(msgspec.Struct, frozen=True):
    """What a token says (RFC 7519, 4.1), by the types that it may have; times are seconds since the epoch."""

    sub: str | None = None
    aud: str | list[str] | None = None
    exp: float | None = None
    nbf: float | None = None
    iat: float | None = None


class Proof(msgspec.Struct, frozen=True):
    """What a token proves while it is good: who the visitor is."""

    subject: ExternalId
    begins: float
    ends: float


class IdentityTokens:
    """Recognises tokens that were signed by a live key, and remembers which these were.

    Args:
        keys: the live keys; each names itself and its algorithm.
        audience: what a token has to be meant for.
        rules: which ids a token may name, and how they are written.
        clock: the time in seconds since the epoch.
    """

    def __init__(
        self,
        keys: Sequence[IdentityKey],
        *,
        audience: str,
        rules: IdRules,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = {key.kid: key for key in keys}
        self._material = {key.kid: _material(key) for key in keys}
        self._audience = audience
        self._rules = rules
        self._clock = clock
        self._known: LRUCache[bytes, Proof] = LRUCache(REMEMBERED)

    def subject_of(self, token: str) -> ExternalId:
        """Return whom a token proves the visitor to be.

        Raises:
            BadCredentials: it proves nothing; says what is wrong with it, and nothing about whom it names.
        """
        if len(token) > MAX_LENGTH:
            raise BadCredentials(f"The identity token is longer than {MAX_LENGTH} characters.")
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        proof = self._known.get(digest) or self._proof(self._payload(token))
        _check_times(proof, self._clock())
        self._known[digest] = proof
        return proof.subject

    def _payload(self, token: str) -> bytes:
        """Return what a live key has signed; a key that is not known costs the same work as one that is."""
        key = self._named(_kid(token))
        candidate = key or next(iter(self._keys.values()), None)
        payload = None if candidate is None else self._signed(token, candidate)
        if key is None or payload is None:
            raise BadCredentials("The identity token is not signed by a key that is known here (`kid`).")
        return payload

    def _named(self, kid: str | None) -> IdentityKey | None:
        """Return the key that a token names; the only one needs no name."""
        if kid is not None:
            return self._keys.get(kid)
        if len(self._keys) > 1:
            raise BadCredentials("The identity token names no key (`kid`), and there is more than one.")
        return next(iter(self._keys.values()), None)

    def _signed(self, token: str, key: IdentityKey) -> bytes | None:
        """Return what a key has signed, if it is this key's; the algorithm is the key's, whatever the token says."""
        try:
            payload = _JWS.decode(token, self._material[key.kid], algorithms=[key.algorithm])
        except jwt.PyJWTError:
            return None
        return bytes(payload)

    def _proof(self, payload: bytes) -> Proof:
        try:
            claims = msgspec.json.decode(payload, type=Claims)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise BadCredentials("The identity token's claims are not those of RFC 7519.") from None
        if claims.sub is None or claims.exp is None or claims.aud is None:
            raise BadCredentials("The identity token needs all of `sub`, `aud` and `exp`.")
        if self._audience not in ([claims.aud] if isinstance(claims.aud, str) else claims.aud):
            raise BadCredentials("The identity token is for another audience (`aud`).")
        return Proof(self._subject(claims.sub), max(claims.nbf or 0, claims.iat or 0), claims.exp)

    def _subject(self, sub: str) -> ExternalId:
        kind, _, value = sub.partition(":")
        try:
            if kind in SUBJECT_TYPES:
                return self._rules.checked("sub", kind, value)
        except BadParameter:
            pass  # it would not be accepted as a parameter either, and so names nobody
        raise BadCredentials("The identity token's `sub` is not of the form `user_id:…` or `anonymous_id:…`.")


def minted(key: IdentityKey, subject: ExternalId, *, audience: str, expires_at: int) -> str:
    """Return a token that is signed with the secret of an HS256 key.

    Args:
        key: whose secret it is.
        subject: whom it names.
        audience: what it is meant for.
        expires_at: until when it is good, in seconds since the epoch.
    """
    claims = {"sub": f"{subject.type}:{subject.value}", "aud": audience, "exp": expires_at}
    return jwt.encode(claims, key.material, key.algorithm, headers={"kid": key.kid})


def _kid(token: str) -> str | None:
    """Return the name of the key that a token says to be signed with."""
    try:
        kid: str | None = _JWS.get_unverified_header(token).get("kid")
    except (jwt.PyJWTError, UnicodeError, RecursionError):
        raise BadCredentials("The `Authorization` header carries no key that is known here, and no token.") from None
    return kid


def _material(key: IdentityKey) -> bytes | PublicKey:
    """Return what a signature is verified with; PEM is read once."""
    return key.material if key.algorithm == "HS256" else public_key(key.material)


def _check_times(proof: Proof, now: float) -> None:
    if proof.ends + LEEWAY <= now:
        raise BadCredentials("The identity token has expired (`exp`): get a new one.")
    if proof.ends > now + MAX_LIFETIME + LEEWAY:
        raise BadCredentials("The identity token is good for more than an hour (`exp`): let it end sooner.")
    if proof.begins > now + LEEWAY:
        raise BadCredentials("The identity token is not good yet (`nbf`, `iat`).")
