"""The keys of identity tokens, as an operator writes them."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from personalize.keyring import IdentityKey, parsed
from tests.tokens import EC_KEY, ED_KEY, OTHER_SECRET, SECRET, private_pem, public_pem

FORM = "entry 1: write `kid:secret`, or `kid:@file` with a public key, the kid of 64 letters and digits at most"
RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_KIND = "entry 1: the key is neither Ed25519 (for EdDSA) nor on the curve P-256 (for ES256)"
PRIVATE = "entry 1: the file holds a private key, which only those may have who sign: name the public one"
NO_KEY = "entry 1: the file holds no public key as PEM"


def test_a_secret_is_a_key_of_hs256() -> None:
    """The colon that ends its name is the first one."""
    assert parsed(f"web:{SECRET}") == (IdentityKey("web", "HS256", SECRET.encode()),)
    assert parsed(f"2026-11.a_b+/=:{'x:' * 16}")[0].material == b"x:" * 16
    assert parsed(f"web:{'ä' * 16}")[0].material == ("ä" * 16).encode()


@pytest.mark.parametrize(("key", "algorithm"), [(EC_KEY, "ES256"), (ED_KEY, "EdDSA")])
def test_a_public_key_says_its_algorithm(key: ec.EllipticCurvePrivateKey, algorithm: str, tmp_path: Path) -> None:
    """Each kind is good for one."""
    file = tmp_path / "public.pem"
    file.write_bytes(public_pem(key))
    [read] = parsed(f"mobile:@{file}")
    assert (read.kid, read.algorithm, read.material) == ("mobile", algorithm, public_pem(key))


def test_several_keys_are_live() -> None:
    """While one replaces another; blanks do not count."""
    assert [key.kid for key in parsed(f" old:{SECRET} ,, new:{OTHER_SECRET},")] == ["old", "new"]
    assert parsed("") == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SECRET, FORM),
        (f":{SECRET}", FORM),
        (f"two words:{SECRET}", FORM),
        (f"{'k' * 65}:{SECRET}", FORM),
        (f"käse:{SECRET}", FORM),
        ("web:", FORM),
        (f"web:{'a' * 31}", "entry 1: write a secret of 32 bytes or more"),
        ("web:@", "entry 1: write a secret of 32 bytes or more"),
        (f"web:{SECRET},new:short", "entry 2: write a secret of 32 bytes or more"),
        (f"web:{SECRET},web:{OTHER_SECRET}", "entry 2: there is a key of this kid already"),
        (f"web:{public_pem(EC_KEY).decode()}", FORM),
        (
            f"web:{public_pem(EC_KEY).decode().replace(chr(10), '')}",
            "entry 1: this is a key pair's half, and no secret: write `kid:@file` for a public key",
        ),
        ("web:@/nowhere/public.pem", "entry 1: the file cannot be read: No such file or directory"),
        ("web:@/", "entry 1: the file cannot be read: Is a directory"),
    ],
)
def test_what_is_no_key_is_told_by_its_number(text: str, reason: str) -> None:
    """Never by its text, which may be a secret."""
    with pytest.raises(ValueError, match=r"^entry \d: ") as told:
        parsed(text)
    assert str(told.value) == reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (private_pem(EC_KEY), PRIVATE),
        (private_pem(ED_KEY), PRIVATE),
        (private_pem(RSA_KEY), PRIVATE),
        (public_pem(EC_KEY) + private_pem(EC_KEY), PRIVATE),
        (public_pem(RSA_KEY), OTHER_KIND),
        (public_pem(ec.generate_private_key(ec.SECP384R1())), OTHER_KIND),
        (
            ed448.Ed448PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            OTHER_KIND,
        ),
        (EC_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), NO_KEY),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", NO_KEY),
        (b"", NO_KEY),
        (SECRET.encode(), NO_KEY),
    ],
)
def test_a_file_holds_a_public_key(content: bytes, reason: str, tmp_path: Path) -> None:
    """A private one does not belong here, and other kinds are for other algorithms."""
    file = tmp_path / "key.pem"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"^entry 1: ") as told:
        parsed(f"web:@{file}")
    assert str(told.value) == reason
    assert str(file) not in str(told.value)


def test_no_secret_is_shown() -> None:
    """What a key is made of is in no representation."""
    assert repr(parsed(f"web:{SECRET}")) == "(IdentityKey(kid='web', algorithm='HS256'),)"
