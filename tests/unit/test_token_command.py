"""`personalize token`: a token to try things with."""

import json
import os
import time
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from personalize import cli
from personalize.errors import ConfigurationError
from personalize.keyring import parsed
from personalize.model import ExternalId
from personalize.trust.identity import IdentityTokens
from personalize.trust.ids import IdRules
from tests.doubles import environment
from tests.tokens import EC_KEY, OTHER_SECRET, SECRET, public_pem

KEYS = f"web:{SECRET},new:{OTHER_SECRET}"


def invoked(*arguments: str, **named: str) -> Result:
    """Return what the command says, run with these settings and no others; what it raises passes."""
    others = {name: None for name in os.environ if name.startswith("PERSONALIZE_")}
    return CliRunner().invoke(
        cli.app, ["token", *arguments], env={**others, **environment(**named)}, catch_exceptions=False
    )


def minted(*arguments: str, **named: str) -> str:
    done = invoked(*arguments, **named)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout.removesuffix("\n")


def told(token: str, part: int) -> dict[str, object]:
    """Return what a token's header (0) or claims (1) say."""
    text = token.split(".")[part]
    read: dict[str, object] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return read


@pytest.mark.parametrize(("subject", "value"), [("user_id:ada", "ada"), ("user_id:a:b", "a:b")])
def test_a_token_is_one_that_the_service_takes(subject: str, value: str) -> None:
    """A line that a shell can put into a header; for a quarter of an hour."""
    token = minted(subject, IDENTITY_KEYS=KEYS)
    known = IdentityTokens(parsed(KEYS), audience="personalize", rules=IdRules())
    assert known.subject_of(token) == ExternalId("user_id", value)
    assert told(token, 0)["kid"] == "web"
    assert 890 < told(token, 1)["exp"] - time.time() <= 900  # type: ignore[operator]  # a number


def test_a_token_is_as_it_is_wished() -> None:
    """By another key, for longer, and for the audience of the settings."""
    token = minted(
        "anonymous_id:visitor-17", "--kid", "new", "--ttl", "1h", IDENTITY_KEYS=KEYS, IDENTITY_AUDIENCE="shop"
    )
    known = IdentityTokens(parsed(KEYS), audience="shop", rules=IdRules())
    assert known.subject_of(token) == ExternalId("anonymous_id", "visitor-17")
    assert told(token, 0)["kid"] == "new"
    assert told(token, 1)["exp"] > time.time() + 3500  # type: ignore[operator]  # a number


def test_a_secret_is_found_behind_public_keys(tmp_path: Path) -> None:
    """The first key that can sign does."""
    file = tmp_path / "public.pem"
    file.write_bytes(public_pem(EC_KEY))
    assert told(minted("user_id:ada", IDENTITY_KEYS=f"mobile:@{file},web:{SECRET}"), 0)["kid"] == "web"


def test_without_keys_the_setting_is_named() -> None:
    """Who has not come so far is told what to set."""
    with pytest.raises(ConfigurationError, match="PERSONALIZE_IDENTITY_KEYS is not set: there is no secret"):
        invoked("user_id:ada")


def test_public_keys_sign_nothing(tmp_path: Path) -> None:
    """The private ones are where visitors log in."""
    file = tmp_path / "public.pem"
    file.write_bytes(public_pem(EC_KEY))
    with pytest.raises(ConfigurationError, match="has public keys only: tokens are signed where the private ones are"):
        invoked("user_id:ada", IDENTITY_KEYS=f"mobile:@{file}")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["ada"], "is not of the form"),
        (["group_id:acme"], "names a visitor"),
        (["email:ada@example.com"], "may not be an email"),
        (["user_id:ada", "--ttl", "15"], "--ttl"),
        (["user_id:ada", "--ttl", "61m"], "1s to 1h"),
        (["user_id:ada", "--ttl", "0s"], "1s to 1h"),
        (["user_id:ada", "--kid", "old"], "there is web, new"),
    ],
)
def test_a_wrong_argument_is_told(arguments: list[str], reason: str) -> None:
    """Status 2, on standard error, and no token."""
    done = invoked(*arguments, IDENTITY_KEYS=KEYS)
    assert (done.exit_code, done.stdout) == (2, "")
    assert reason in " ".join(done.stderr.replace("│", " ").split())


def test_the_sandbox_has_a_key_of_its_own() -> None:
    """Known to all, as its API key is; one that is set counts before it."""
    assert told(minted("user_id:ada", "--sandbox"), 0)["kid"] == "sandbox"
    assert told(minted("user_id:ada", "--sandbox", IDENTITY_KEYS=KEYS), 0)["kid"] == "web"
