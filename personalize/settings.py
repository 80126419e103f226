"""The settings: one frozen value, read from the environment in one place, every error told at once.

Names are the fields' in capitals behind `PERSONALIZE_`. Durations carry units (`300s`, `24h`, `800ms`), lists are
comma-separated, and a secret `X` may come from a file named by `X_FILE`, as container platforms mount them.
"""

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from personalize import setting_values
from personalize.errors import SettingsError
from personalize.keyring import IdentityKey
from personalize.setting_values import MAX_PORT, Listed, Locations, Origins, Seconds

PREFIX = "PERSONALIZE_"
PROVIDER_PREFIX = "PERSONALIZE_PROVIDER_"
MASK = "***"

# Kubernetes injects these for a Service named "personalize"; they are not ours.
_INJECTED = re.compile(r"PERSONALIZE_(SERVICE_.*|PORT.*)")
_OF_A_PROVIDER = re.compile(PROVIDER_PREFIX + r"([A-Z0-9]+(?:_[A-Z0-9]+)+)")
"""A name and a key; which part is which, only installed providers tell."""
_SECRET_PARTS = re.compile(r"(?<=://)[^/?#]*(?=@)|(?<=\?).*")
"""Where a URL may carry a secret: before the host, and in the query."""


class Settings(BaseModel):
    """What a deployment says about itself. Secrets are masked in every representation."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    space_id: Annotated[str, Field(min_length=1, description="The Segment space whose profiles are read.")]
    access_token: Annotated[SecretStr, Field(min_length=1, description="Its Profile API access token.")]
    access_token_file: Annotated[
        Path | None, Field(description="The file that the token came from; it is read again when the token is refused.")
    ] = None
    region: Annotated[Literal["us", "eu"], Field(description="Where the space lives: `us` or `eu`.")] = "us"
    profile_api_url: Annotated[
        Annotated[str, AfterValidator(setting_values.http_url)] | None,
        Field(description="Another base URL of the Profile API than the region's."),
    ] = None
    redis_url: Annotated[
        Annotated[SecretStr, AfterValidator(setting_values.redis_url)] | None,
        Field(description="The Redis that replicas share; unset: each remembers for itself."),
    ] = None
    hash_key: Annotated[
        Annotated[SecretStr, AfterValidator(setting_values.long_enough)] | None,
        Field(description="The key of the hashes that stand for ids in Redis."),
    ] = None
    allowed_origins: Annotated[Origins, Field(description="Pages that may ask from a browser, as exact origins.")] = ()
    api_keys: Annotated[
        Annotated[tuple[tuple[str, bytes], ...], BeforeValidator(setting_values.hashed_keys)],
        Field(repr=False, description="Keys of our own servers: `name:key`, comma-separated."),
    ] = ()
    webhook_secret: Annotated[
        Annotated[SecretStr, AfterValidator(setting_values.long_enough)] | None,
        Field(description="Shared with Segment: by it `POST /webhooks/segment` knows what Segment pushes; unset: off."),
    ] = None
    identity_keys: Annotated[
        Annotated[tuple[IdentityKey, ...], BeforeValidator(setting_values.identity_keys)],
        Field(
            repr=False,
            exclude=True,
            description="Keys of identity tokens: `kid:secret`, or `kid:@file` with a public key, comma-separated.",
        ),
    ] = ()
    identity_audience: Annotated[str, Field(description="The audience (`aud`) that identity tokens are meant for.")] = (
        "personalize"
    )
    id_types: Annotated[
        tuple[Annotated[str, AfterValidator(setting_values.id_type)], ...],
        BeforeValidator(setting_values.listed),
        Field(description="Id types that may be asked about as `external_id=type:value`, beside the built-in ones."),
    ] = ()
    pii_ids: Annotated[bool, Field(description="Whether `email` and `phone` may be ids to look up by.")] = False
    lowercase_external_ids: Annotated[
        bool, Field(description="Whether ids are looked up in lower case, as newer spaces store them.")
    ] = False
    rate_limit: Annotated[
        int,
        Field(ge=1, le=10000, description="Requests/s that this deployment may spend of the space's 100."),
    ] = 80
    fleet_size: Annotated[
        int | None,
        Field(
            ge=1,
            le=10000,
            description="Processes that share `CLIENT_RATE_LIMIT`, and without Redis `RATE_LIMIT`; unset: the workers.",
        ),
    ] = None
    client_rate_limit: Annotated[
        int,
        Field(
            ge=0,
            le=10000,
            description="Requests/s of one address, and of one API key, that may need the Profile API; 0 is no limit.",
        ),
    ] = 50
    trusted_proxies: Annotated[
        tuple[Annotated[str, AfterValidator(setting_values.network)], ...],
        BeforeValidator(setting_values.listed),
        Field(description="Addresses and networks of proxies whose `X-Forwarded-For` is believed."),
    ] = ()
    console: Annotated[
        Literal["off", "keys", "open"],
        Field(
            description="Who may use `/console`: nobody (`off`), who has a key (`keys`), all (`open`: sandbox only)."
        ),
    ] = "keys"
    recipes: Annotated[
        Listed, Field(min_length=1, description="Where recipes are: `shipped`, files, folders or modules.")
    ] = ("shipped",)
    overrides: Annotated[
        Listed, Field(description="Recipes' access, ttl and parameters' defaults: `name.access=public,name.limit=3`.")
    ] = ()
    posts_url: Annotated[
        Locations, Field(repr=False, description="Where posts are: URLs or files of feeds, JSON or WordPress sites.")
    ] = ()
    products_url: Annotated[
        Locations, Field(repr=False, description="Where products are: URLs or files of JSON, CSV or product feeds.")
    ] = ()
    variants_url: Annotated[
        Annotated[str, AfterValidator(setting_values.content_location)] | None,
        Field(repr=False, description="Where the variants of audiences are: the URL or file of a TOML document."),
    ] = None
    private_feeds: Annotated[
        bool, Field(description="Whether content may come from private addresses, as those of one's own network.")
    ] = False
    provider: Annotated[
        Mapping[str, SecretStr], Field(description="What an installed provider `<NAME>` is told, key by key.")
    ] = {}
    deadline: Annotated[Seconds, Field(ge=0.05, le=2.0, description="What a browser's request may wait.")] = 0.8
    cache_ttl: Annotated[
        Seconds, Field(ge=0, le=86400, description="The greatest age at which a profile counts as fresh.")
    ] = 300.0
    revalidate_ttl: Annotated[
        Seconds,
        Field(
            ge=0, le=86400, description="Until this age a profile is served at once, and read again in the background."
        ),
    ] = 600.0
    stale_ttl: Annotated[
        Seconds,
        Field(ge=1, le=604800, description="Until this age the last known profile is served while Segment fails."),
    ] = 86400.0
    negative_ttl: Annotated[
        Seconds, Field(ge=0, le=86400, description="For how long an unknown visitor stays unknown.")
    ] = 30.0
    browser_ttl: Annotated[Seconds, Field(ge=0, le=86400, description="For how long a browser may keep an answer.")] = (
        60.0
    )
    metrics_port: Annotated[
        int | None, Field(ge=1, le=MAX_PORT, description="A port of its own for `/metrics`; unset: on the main port.")
    ] = None
    drain_delay: Annotated[
        Seconds,
        Field(ge=0, le=15, description="After SIGTERM `/readyz` says 503 for so long before connections are closed."),
    ] = 5.0
    access_log: Annotated[
        Annotated[str, AfterValidator(setting_values.access_log)],
        Field(description="Answers that are logged: `problems`, `all`, or problems and a share (`sampled:0.01`)."),
    ] = "problems"
    traces_url: Annotated[
        Annotated[SecretStr, AfterValidator(setting_values.collector)] | None,
        Field(
            description="Where an OpenTelemetry collector takes OTLP over HTTP, "
            "like `http://collector:4318/v1/traces`; unset: no traces."
        ),
    ] = None
    traces_share: Annotated[
        Decimal, Field(ge=0, le=1, description="Of the requests that come without a trace, how many begin one.")
    ] = Decimal("0.01")
    write_key: Annotated[
        SecretStr | None, Field(description="The write key of the Profile space's source, for `personalize sync`.")
    ] = None
    tracking_api_url: Annotated[
        Annotated[str, AfterValidator(setting_values.http_url)] | None,
        Field(description="Another base URL of the Tracking API than that of the mappings' endpoint region."),
    ] = None
    exposures: Annotated[
        bool,
        Field(description="Whether what visitors are recommended is written back to Segment, as Track calls."),
    ] = False
    warehouse_url: Annotated[
        SecretStr | None,
        Field(description="The database that `personalize sync` queries, as SQLAlchemy names it."),
    ] = None
    log_format: Annotated[
        Literal["console", "json"], Field(description="Log lines for collectors (`json`) or people (`console`).")
    ] = "json"

    @property
    def logged_share(self) -> float:
        """Of the answers that are as they should be, how many are logged, from 0 to 1."""
        word, _, share = self.access_log.partition(":")
        return float(share or (word == "all"))

    def effective(self) -> Iterator[tuple[str, str, str]]:
        """Yield each setting's name, its value with secrets masked, and what it is for."""
        for name, field in type(self).model_fields.items():
            if name == "provider":
                yield from (
                    (PROVIDER_PREFIX + key, _shown(one), field.description or "") for key, one in self.provider.items()
                )
            else:
                yield PREFIX + name.upper(), _shown(getattr(self, name)), field.description or ""


SECRETS = frozenset(
    {
        "ACCESS_TOKEN",
        "REDIS_URL",
        "HASH_KEY",
        "API_KEYS",
        "IDENTITY_KEYS",
        "WEBHOOK_SECRET",
        "TRACES_URL",
        "WRITE_KEY",
        "WAREHOUSE_URL",
    }
)
"""Settings that may come from a file: `ACCESS_TOKEN_FILE` and so on."""


def load(
    environ: Mapping[str, str] = os.environ,
    *,
    defaults: Mapping[str, str] | None = None,
    forced: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings of an environment.

    Args:
        environ: names and values; a test's own mapping, else the process's environment.
        defaults: values for settings that the environment does not name.
        forced: values for settings whatever the environment says.

    Raises:
        SettingsError: with every problem there is.
    """
    problems: list[str] = []
    named = {
        name: value for name, value in environ.items() if name.startswith(PREFIX) and not _INJECTED.fullmatch(name)
    }
    values = {**(defaults or {}), **_read(named, problems)}
    for name, value in (forced or {}).items():
        values.pop(f"{name}_FILE", None)  # what is forced did not come from there
        values[name] = value
    told = {match[1]: SecretStr(values.pop(match[0])) for match in map(_OF_A_PROVIDER.fullmatch, [*values]) if match}
    known = {name: value for name, value in values.items() if _known(name, problems)}
    try:
        settings = Settings(**{_field(name): value for name, value in known.items()}, provider=told)  # type: ignore[arg-type]  # strings are what its validators take
    except ValidationError as error:
        raise SettingsError([*problems, *_sentences(error)]) from None
    if problems:
        raise SettingsError(problems)
    return settings


def renewed(settings: Settings) -> Settings:
    """Return settings with the access token that is in its file by now.

    Raises:
        SettingsError: there is none in it.
    """
    if settings.access_token_file is None:
        return settings
    problems: list[str] = []
    name = f"{PREFIX}ACCESS_TOKEN"
    token = _read({f"{name}_FILE": str(settings.access_token_file)}, problems).get(name)
    if problems or not token:
        raise SettingsError(problems or [f"{name}_FILE: the file is empty."])
    return settings.model_copy(update={"access_token": SecretStr(token)})


def _read(named: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    """Return the named values, with each secret's file read; blank values count as not set."""
    values = {name: value.strip() for name, value in named.items() if value.strip()}
    for secret in sorted(SECRETS):
        path = values.pop(f"{PREFIX}{secret}_FILE", None)
        if path is None:
            continue
        if PREFIX + secret in values:
            problems.append(f"{PREFIX}{secret} and {PREFIX}{secret}_FILE are both set: keep one.")
            continue
        try:
            values[PREFIX + secret] = Path(path).read_text(encoding="utf-8").strip()
            if secret == "ACCESS_TOKEN":  # noqa: S105 -- its name
                values[f"{PREFIX}{secret}_FILE"] = path
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            shown = repr(path) if os.sep in path else "what it names"  # perhaps the secret itself, by mistake
            problems.append(f"{PREFIX}{secret}_FILE: {shown} cannot be read: {reason}.")
            if secret == "ACCESS_TOKEN":  # noqa: S105 -- its name
                values[PREFIX + secret] = MASK  # stands in, so that it is not reported missing as well
    return values


def _known(name: str, problems: list[str]) -> bool:
    names = [PREFIX + field.upper() for field in Settings.model_fields if field != "provider"]
    if name in names:
        return True
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
    problems.append(f"{name} is not a setting." + (f" Did you mean {near[0]}?" if near else ""))
    return False


def _sentences(error: ValidationError) -> Iterable[str]:
    for problem in error.errors(include_url=False, include_input=False):
        name = PREFIX + str(problem["loc"][0]).upper()
        if problem["type"] == "missing":
            yield f"{name} is not set. {Settings.model_fields[str(problem['loc'][0])].description}"
        else:
            yield f"{name}: {problem['msg'].removeprefix('Value error, ')}."


def _field(name: str) -> str:
    return name.removeprefix(PREFIX).lower()


def _listed_as(one: str | tuple[str, bytes] | IdentityKey) -> str:
    """Return a list's entry as it is shown: of a key its name."""
    if isinstance(one, str):
        return _shown(one)
    return f"{one.kid if isinstance(one, IdentityKey) else one[0]}:{MASK}"


def _shown(value: Any) -> str:  # noqa: ANN401 -- whatever a setting holds
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, tuple):
        return ", ".join(map(_listed_as, value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}s"
    return "" if value is None else _SECRET_PARTS.sub(MASK, str(value))
