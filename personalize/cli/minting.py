"""`personalize token`: an identity token to try things with."""

import time

import typer

from personalize import durations, settings
from personalize.app.ids import id_rules
from personalize.cli.demonstration import sandbox_settings
from personalize.errors import BadParameter, ConfigurationError
from personalize.keyring import IdentityKey
from personalize.model import ExternalId
from personalize.settings import Settings
from personalize.trust import identity

SETTING = "PERSONALIZE_IDENTITY_KEYS"


def mint(subject: str, ttl: str, kid: str | None, sandbox_url: str | None) -> None:
    """Print an identity token.

    Args:
        subject: whom it names, an id type and a value.
        ttl: for how long it is good.
        kid: the key that signs it, if not any.
        sandbox_url: where the sandbox is, if it is for a service that reads one.
    """
    loaded = sandbox_settings(sandbox_url) if sandbox_url else settings.load()
    expires_at = int(time.time() + _lifetime(ttl))
    key = _signer(loaded, kid)
    who = _named(subject, loaded)
    typer.echo(identity.minted(key, who, audience=loaded.identity_audience, expires_at=expires_at))


def _lifetime(text: str) -> float:
    try:
        seconds = durations.seconds(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="--ttl") from None
    if not 1 <= seconds <= identity.MAX_LIFETIME:
        raise typer.BadParameter("A token is good for 1s to 1h.", param_hint="--ttl")
    return seconds


def _signer(loaded: Settings, kid: str | None) -> IdentityKey:
    """Return the key to sign with: a secret, for of the others only the public half is here."""
    if not loaded.identity_keys:
        raise ConfigurationError(f"{SETTING} is not set: there is no secret to sign a token with.")
    secrets = {key.kid: key for key in loaded.identity_keys if key.algorithm == "HS256"}
    if not secrets:
        raise ConfigurationError(f"{SETTING} has public keys only: tokens are signed where the private ones are.")
    if kid is not None and kid not in secrets:
        raise typer.BadParameter(f"There is no secret of that kid; there is {', '.join(secrets)}.", param_hint="--kid")
    return next(iter(secrets.values())) if kid is None else secrets[kid]


def _named(subject: str, loaded: Settings) -> ExternalId:
    try:
        named = id_rules(loaded).parsed("subject", subject)
    except BadParameter as error:
        raise typer.BadParameter(str(error)) from None
    if named.type not in identity.SUBJECT_TYPES:
        raise typer.BadParameter("A token names a visitor, by user_id or anonymous_id.")
    return named
