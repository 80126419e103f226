"""Identity tokens: which are good, and what is said of the others."""

import time
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from personalize.errors import BadCredentials
from personalize.keyring import IdentityKey
from personalize.model import ExternalId
from personalize.trust import identity
from personalize.trust.identity import REMEMBERED, IdentityTokens
from personalize.trust.ids import IdRules
from tests import tokens
from tests.connections import Clock
from tests.tokens import EC_KEY, ED_KEY, OTHER_SECRET, SECRET, WEB, claims, minted

NOW = 1_800_000_000
ADA = ExternalId("user_id", "ada")
MOBILE = IdentityKey("mobile", "ES256", tokens.public_pem(EC_KEY))
SHOP = IdentityKey("shop", "EdDSA", tokens.public_pem(ED_KEY))
KEYS = (WEB, MOBILE, SHOP)

UNSIGNED = "The identity token is not signed by a key that is known here (`kid`)."
NO_TOKEN = "The `Authorization` header carries no key that is known here, and no token."
NAMELESS = "The identity token names no key (`kid`), and there is more than one."
CLAIMS = "The identity token's claims are not those of RFC 7519."
INCOMPLETE = "The identity token needs all of `sub`, `aud` and `exp`."
AUDIENCE = "The identity token is for another audience (`aud`)."
SUBJECT = "The identity token's `sub` is not of the form `user_id:…` or `anonymous_id:…`."
EXPIRED = "The identity token has expired (`exp`): get a new one."
TOO_LONG = "The identity token is good for more than an hour (`exp`): let it end sooner."
TOO_EARLY = "The identity token is not good yet (`nbf`, `iat`)."


def recogniser(
    *keys: IdentityKey, rules: IdRules | None = None, clock: Callable[[], float] | None = None
) -> IdentityTokens:
    return IdentityTokens(keys, audience="personalize", rules=rules or IdRules(), clock=clock or (lambda: NOW))


class Watched(IdentityTokens):
    """Remembers by which keys it verified."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(KEYS, audience="personalize", rules=IdRules(), clock=clock)
        self.verified: list[str] = []

    def _signed(self, token: str, key: IdentityKey) -> bytes | None:
        self.verified.append(key.kid)
        return super()._signed(token, key)


def at(**others: object) -> dict[str, object]:
    """Return claims that are good at the time of these tests, but for what is told otherwise."""
    return claims(**{"exp": NOW + 900, **others})


def refusal(token: str, *keys: IdentityKey) -> str:
    with pytest.raises(BadCredentials) as refused:
        recogniser(*(keys or KEYS)).subject_of(token)
    return str(refused.value)


def web(payload: object, secret: str = SECRET, **header: object) -> str:
    """Return a token of the first key, with a header that may say more or otherwise."""
    return tokens.hs256({"alg": "HS256", "kid": "web", **header}, payload, secret.encode())


@pytest.mark.parametrize(
    "token",
    [web(at()), tokens.es256(at(), kid="mobile"), tokens.eddsa(at(), kid="shop")],
    ids=["HS256", "ES256", "EdDSA"],
)
def test_a_live_key_proves_who_the_visitor_is(token: str) -> None:
    """Whichever of the three algorithms it is good for."""
    assert recogniser(*KEYS).subject_of(token) == ADA


def test_the_only_key_needs_no_name() -> None:
    """A library that cannot set `kid` will do, until there are two."""
    nameless = tokens.hs256({"alg": "HS256"}, at(), SECRET.encode())
    assert recogniser(WEB).subject_of(nameless) == ADA
    assert refusal(nameless, WEB, MOBILE) == NAMELESS


def test_another_library_signs_the_same() -> None:
    """What PyJWT makes, and so the command."""
    token = identity.minted(WEB, ADA, audience="personalize", expires_at=NOW + 900)
    assert recogniser(*KEYS).subject_of(token) == ADA
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "kid": "web", "typ": "JWT"}
    assert token == jwt.encode(at(), SECRET, "HS256", headers={"kid": "web"})


@pytest.mark.parametrize(
    ("others", "subject"),
    [
        ({"sub": "user_id:a:b"}, ExternalId("user_id", "a:b")),
        ({"sub": "anonymous_id:visitor-17"}, ExternalId("anonymous_id", "visitor-17")),
        ({"aud": ["shop", "personalize"]}, ADA),
        ({"exp": NOW + 3600}, ADA),
        ({"exp": NOW + 3660}, ADA),
        ({"exp": NOW - 59}, ADA),
        ({"exp": NOW + 900.5}, ADA),
        ({"nbf": NOW + 60, "iat": NOW + 60}, ADA),
        ({"iss": "https://login.example.com", "roles": [{"name": "reader"}], "jti": "1"}, ADA),
    ],
)
def test_what_a_token_may_say(others: dict[str, object], subject: ExternalId) -> None:
    """Clocks may differ by a minute, an audience may be one of several, and what else it says is not read."""
    assert recogniser(*KEYS).subject_of(web(at(**others))) == subject


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ({"sub": None}, INCOMPLETE),
        ({"exp": None}, INCOMPLETE),
        ({"aud": None}, INCOMPLETE),
        ({"aud": "shop"}, AUDIENCE),
        ({"aud": "personalize "}, AUDIENCE),
        ({"aud": ["shop"]}, AUDIENCE),
        ({"aud": []}, AUDIENCE),
        ({"aud": 1}, CLAIMS),
        ({"sub": 17}, CLAIMS),
        ({"exp": str(NOW + 900)}, CLAIMS),
        ({"exp": True}, CLAIMS),
        ({"nbf": "now"}, CLAIMS),
        ({"sub": "ada"}, SUBJECT),
        ({"sub": ""}, SUBJECT),
        ({"sub": "user_id:"}, SUBJECT),
        ({"sub": "group_id:acme"}, SUBJECT),
        ({"sub": "email:ada@example.com"}, SUBJECT),
        ({"sub": f"user_id:{'a' * 256}"}, SUBJECT),
        ({"sub": "user_id:a\r\nb"}, SUBJECT),
        ({"exp": NOW - 60}, EXPIRED),
        ({"exp": 0}, EXPIRED),
        ({"exp": -1e300}, EXPIRED),
        ({"exp": NOW + 3661}, TOO_LONG),
        ({"exp": 1e300}, TOO_LONG),
        ({"nbf": NOW + 61}, TOO_EARLY),
        ({"iat": NOW + 61}, TOO_EARLY),
    ],
)
def test_what_a_token_may_not_say(others: dict[str, object], reason: str) -> None:
    """The reason is told in general terms, without the value."""
    assert refusal(web(at(**others))) == reason


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"[]", b"{", b'{"sub": "\xff"}', b'{"exp": NaN}', b'{"exp": 1e999}', b'{"x":' + b"[" * 2800],
    ids=["nothing", "null", "a list", "half", "no UTF-8", "NaN", "beyond all numbers", "deep"],
)
def test_what_is_signed_has_to_be_claims(payload: bytes) -> None:
    """Also a key's owner can be wrong."""
    assert refusal(web(payload)) in {CLAIMS, INCOMPLETE}


PEM = tokens.public_pem(EC_KEY)


@pytest.mark.parametrize(
    "token",
    [
        web(at(), OTHER_SECRET),
        web(at(), ""),
        web(at(), kid="mobile"),
        web(at(), kid="nobody"),
        web(at(), kid=""),
        web(at(), alg="HS384"),
        web(at(), alg="hs256"),
        web(at(), alg=["HS256"]),
        web(at(), alg=None),
        web(at(), alg="none"),
        web(at(), crit=["b64"], b64=False),
        web(at(), crit=["exp"]),
        tokens.unsigned({"alg": "none", "kid": "web"}, at()) + ".",
        tokens.unsigned({"alg": "None", "kid": "mobile"}, at()) + ".",
        tokens.unsigned({"alg": "HS256", "kid": "web"}, at()) + ".",
        tokens.hs256({"alg": "HS256", "kid": "mobile"}, at(), PEM),
        tokens.hs256({"alg": "HS256", "kid": "mobile"}, at(), PEM.strip()),
        tokens.hs256({"alg": "ES256", "kid": "mobile"}, at(), PEM),
        tokens.es256(at(), kid="web"),
        tokens.es256(at(), kid="shop"),
        tokens.es256(at(), ec.derive_private_key(18, ec.SECP256R1()), kid="mobile"),
        tokens.eddsa(at(), kid="mobile"),
    ],
)
def test_what_no_live_key_has_signed_is_refused(token: str) -> None:
    """By another secret, by no algorithm, by another one than the key's, or by the public half of a pair."""
    assert refusal(token) in {UNSIGNED, NO_TOKEN}


@pytest.mark.parametrize(
    "token",
    [
        "word",
        "..",
        "a.b.c",
        "ä.ö.ü",
        "\udcff.a.b",
        web(at(), kid=17),
        web(at(), kid=["web"]),
        tokens.unsigned(b"[" * 2800, at()) + ".AAAA",
        tokens.unsigned(b'"web"', at()) + ".AAAA",
    ],
)
def test_what_is_no_token_is_refused(token: str) -> None:
    """It is neither a key of a server nor a token, and is not quoted."""
    assert refusal(token) == NO_TOKEN


def test_a_token_has_a_greatest_length() -> None:
    """Nobody makes us decode what fills a header."""
    assert refusal("a" * 4097) == "The identity token is longer than 4096 characters."


def test_without_keys_every_token_is_refused() -> None:
    """A deployment that takes none trusts none."""
    with pytest.raises(BadCredentials):
        recogniser().subject_of(web(at()))


def test_a_subject_is_written_as_ids_are() -> None:
    """A space that keeps ids in lower case knows one of `Ada` and `ada`."""
    token = web(at(sub="user_id:Ada"))
    assert recogniser(WEB, rules=IdRules(lowercase=True)).subject_of(token) == ADA
    assert recogniser(WEB).subject_of(token) == ExternalId("user_id", "Ada")


def test_a_token_is_verified_once() -> None:
    """While it is good it is remembered; then it is refused all the same."""
    clock = Clock()
    clock.now = NOW
    known = Watched(clock)
    token = web(at())
    assert [known.subject_of(token) for _ in range(3)] == [ADA] * 3
    assert known.verified == ["web"]
    clock.now += 960
    with pytest.raises(BadCredentials, match="has expired"):
        known.subject_of(token)
    clock.now -= 10_000
    with pytest.raises(BadCredentials, match="more than an hour"):
        known.subject_of(token)


def test_what_is_remembered_is_bounded() -> None:
    """And holds no token, but its digest only."""
    known = recogniser(WEB)
    for number in range(REMEMBERED + 10):
        known.subject_of(web(at(sub=f"user_id:{number}")))
    assert len(known._known) == REMEMBERED
    assert all(len(digest) == 32 for digest in known._known)


def test_a_refused_token_is_not_remembered() -> None:
    """Floods of them take no memory."""
    known = recogniser(*KEYS)
    for token in (web(at(), OTHER_SECRET), web(at(exp=NOW - 60)), web(at(aud="shop"))):
        with pytest.raises(BadCredentials):
            known.subject_of(token)
    assert not known._known


def test_an_unknown_key_costs_what_a_known_one_does() -> None:
    """A signature is verified either way, so that time tells nothing of which keys are live."""
    known = Watched(lambda: NOW)
    for kid, secret in (("web", OTHER_SECRET), ("nobody", OTHER_SECRET), ("nobody", SECRET)):
        with pytest.raises(BadCredentials):
            known.subject_of(web(at(), secret, kid=kid))
    assert known.verified == ["web"] * 3


def test_the_clock_is_that_of_the_wall() -> None:
    """Unless a test passes another one."""
    known = IdentityTokens([WEB], audience="shop", rules=IdRules())
    assert known.subject_of(minted(aud="shop", exp=int(time.time()) + 5)) == ADA
