"""Settings: what an environment may say, and how it is told what it may not."""

import hashlib
import os
import pickle
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from personalize import settings
from personalize.errors import SettingsError
from personalize.keyring import IdentityKey
from personalize.settings import MASK, SECRETS, Settings
from tests.doubles import SPACE, TOKEN, environment, settings_of
from tests.tokens import EC_KEY, OTHER_SECRET, SECRET, WEB, public_pem

KEY = "fake-key-of-sixteen-letters"
OTHER_KEY = "another-fake-key-of-the-tests"


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def problems(environ: Mapping[str, str]) -> list[str]:
    """Return what an environment is told, line by line as an operator reads it."""
    with pytest.raises(SettingsError) as told:
        settings.load(environ)
    assert str(told.value).splitlines() == list(told.value.problems)
    return list(told.value.problems)


def problems_of(**named: str) -> list[str]:
    return problems(environment(**named))


def shown(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


DEFAULTS: dict[str, object] = {
    "access_token_file": None,
    "region": "us",
    "profile_api_url": None,
    "redis_url": None,
    "hash_key": None,
    "allowed_origins": (),
    "api_keys": (),
    "webhook_secret": None,
    "identity_keys": (),
    "identity_audience": "personalize",
    "id_types": (),
    "pii_ids": False,
    "lowercase_external_ids": False,
    "console": "keys",
    "recipes": ("shipped",),
    "overrides": (),
    "posts_url": (),
    "products_url": (),
    "variants_url": None,
    "private_feeds": False,
    "provider": {},
    "deadline": 0.8,
    "rate_limit": 80,
    "fleet_size": None,
    "client_rate_limit": 50,
    "trusted_proxies": (),
    "cache_ttl": 300.0,
    "revalidate_ttl": 600.0,
    "stale_ttl": 86400.0,
    "negative_ttl": 30.0,
    "browser_ttl": 60.0,
    "metrics_port": None,
    "drain_delay": 5.0,
    "access_log": "problems",
    "traces_url": None,
    "traces_share": Decimal("0.01"),
    "write_key": None,
    "tracking_api_url": None,
    "exposures": False,
    "warehouse_url": None,
    "log_format": "json",
}


def test_two_settings_are_enough() -> None:
    """A space and its token make a service; everything else has the documented default."""
    loaded = settings.load(environment())
    assert (loaded.space_id, loaded.access_token.get_secret_value()) == (SPACE, TOKEN)
    assert {name: getattr(loaded, name) for name in DEFAULTS} == DEFAULTS
    assert Settings.model_fields.keys() == {"space_id", "access_token", *DEFAULTS}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("SPACE_ID", "9aQ1Lj62S4bomZKLF4DPqW", "9aQ1Lj62S4bomZKLF4DPqW"),
        ("ACCESS_TOKEN", "t", "t"),
        ("REGION", "us", "us"),
        ("REGION", "eu", "eu"),
        ("PROFILE_API_URL", "https://proxy.example.com", "https://proxy.example.com"),
        ("PROFILE_API_URL", "https://proxy.example.com/", "https://proxy.example.com"),
        ("PROFILE_API_URL", "https://proxy.example.com/v1", "https://proxy.example.com"),
        ("PROFILE_API_URL", "https://proxy.example.com/v1/", "https://proxy.example.com"),
        ("PROFILE_API_URL", "http://127.0.0.1:8100/segment", "http://127.0.0.1:8100/segment"),
        ("REDIS_URL", "redis://cache:6379/0", "redis://cache:6379/0"),
        ("REDIS_URL", "rediss://:fake-password@cache:6380/1", "rediss://:fake-password@cache:6380/1"),
        ("REDIS_URL", "unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("REDIS_URL", "redis+sentinel://a:26379,b/cache/1", "redis+sentinel://a:26379,b/cache/1"),
        ("REDIS_URL", "rediss+sentinel://u:fake@a,b:1/cache", "rediss+sentinel://u:fake@a,b:1/cache"),
        ("REDIS_URL", "redis+cluster://:fake@a:7000,b:7001/", "redis+cluster://:fake@a:7000,b:7001/"),
        ("REDIS_URL", "redis+cluster://[::1]:7000,[::1]:7001", "redis+cluster://[::1]:7000,[::1]:7001"),
        ("HASH_KEY", "sixteen-letters-", "sixteen-letters-"),
        ("ALLOWED_ORIGINS", "https://blog.example.com", ("https://blog.example.com",)),
        (
            "ALLOWED_ORIGINS",
            "https://a.example, http://localhost:8080,",
            ("https://a.example", "http://localhost:8080"),
        ),
        ("ALLOWED_ORIGINS", "https://Blog.Example.com:8443", ("https://blog.example.com:8443",)),
        ("ALLOWED_ORIGINS", "http://[::1]:8000", ("http://[::1]:8000",)),
        ("API_KEYS", f"web:{KEY}", (("web", digest(KEY)),)),
        ("API_KEYS", KEY, (("key1", digest(KEY)),)),
        ("API_KEYS", f"{KEY}, {OTHER_KEY}", (("key1", digest(KEY)), ("key2", digest(OTHER_KEY)))),
        ("API_KEYS", f"old:{KEY},,new:{OTHER_KEY},", (("old", digest(KEY)), ("new", digest(OTHER_KEY)))),
        ("API_KEYS", f"web:{KEY},web:{OTHER_KEY}", (("web", digest(KEY)), ("web", digest(OTHER_KEY)))),
        ("API_KEYS", f"sha256:{digest(KEY).hex().upper()}", (("key1", digest(KEY)),)),
        ("API_KEYS", f"web:sha256:{digest(KEY).hex()}", (("web", digest(KEY)),)),
        ("API_KEYS", "a" * 16, (("key1", digest("a" * 16)),)),
        ("WEBHOOK_SECRET", "sixteen-letters-", "sixteen-letters-"),
        ("IDENTITY_KEYS", f"web:{SECRET}", (WEB,)),
        (
            "IDENTITY_KEYS",
            f"web:{SECRET}, new:{OTHER_SECRET}",
            (WEB, IdentityKey("new", "HS256", OTHER_SECRET.encode())),
        ),
        ("IDENTITY_AUDIENCE", "shop", "shop"),
        ("ID_TYPES", "android_idfa, ios_idfa", ("android_idfa", "ios_idfa")),
        ("PII_IDS", "true", True),
        ("LOWERCASE_EXTERNAL_IDS", "yes", True),
        ("CLIENT_RATE_LIMIT", "0", 0),
        ("CLIENT_RATE_LIMIT", "200", 200),
        (
            "TRUSTED_PROXIES",
            "10.0.0.0/8, 192.0.2.1, 2001:db8::1",
            ("10.0.0.0/8", "192.0.2.1/32", "2001:db8::1/128"),
        ),
        ("RECIPES", "shipped", ("shipped",)),
        ("RECIPES", " shipped , ./mine,package.module ", ("shipped", "./mine", "package.module")),
        ("OVERRIDES", "a.limit=3, b.ttl=1m", ("a.limit=3", "b.ttl=1m")),
        ("POSTS_URL", "https://blog.example.com/feed.xml?page=1", ("https://blog.example.com/feed.xml?page=1",)),
        ("POSTS_URL", "http://127.0.0.1/a%2Cb, http://[::1]/,", ("http://127.0.0.1/a%2Cb", "http://[::1]/")),
        ("PRODUCTS_URL", "https://shop.example.com/feed.csv", ("https://shop.example.com/feed.csv",)),
        ("DEADLINE", "50ms", 0.05),
        ("DEADLINE", "2s", 2.0),
        ("DEADLINE", "0.5s", 0.5),
        ("CACHE_TTL", "0s", 0.0),
        ("CACHE_TTL", "5m", 300.0),
        ("CACHE_TTL", "24h", 86400.0),
        ("CACHE_TTL", "1d", 86400.0),
        ("NEGATIVE_TTL", "1500ms", 1.5),
        ("BROWSER_TTL", "0ms", 0.0),
        ("METRICS_PORT", "9100", 9100),
        ("DRAIN_DELAY", "0s", 0.0),
        ("ACCESS_LOG", "all", "all"),
        ("ACCESS_LOG", "sampled:0.01", "sampled:0.01"),
        ("ACCESS_LOG", "sampled:1", "sampled:1"),
        ("TRACES_URL", "http://collector:4318/v1/traces", "http://collector:4318/v1/traces"),
        ("TRACES_SHARE", "0.5", Decimal("0.5")),
        ("LOG_FORMAT", "console", "console"),
        ("LOG_FORMAT", "json", "json"),
    ],
)
def test_a_setting_is_read(name: str, text: str, value: object) -> None:
    """What an operator writes becomes a typed value: seconds, tuples, digests."""
    expected = pytest.approx(value) if isinstance(value, float) else value
    assert shown(getattr(settings_of(**{name: text}), name.lower())) == expected


DURATION = "write a duration with its unit, like 800ms, 300s, 5m or 24h."
ENTRY = "entry 1: write `name:key`"
ORIGIN = "is not an exact origin: write it like https://blog.example.com."
REDIS = (
    "write redis://host:port/db, redis+sentinel://host:port,host:port/service/db, "
    "redis+cluster://host:port,host:port (or with rediss) or unix:///path?db=0, without other options."
)
USER_NAME = "an origin has no user name: write it like https://blog.example.com."
OWN_PORT = "browsers leave out https's own port."
BASE_URL = "write an http(s) URL without user name or query, like https://profiles.segment.com."
NO_FILE = "there is no readable file"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("REGION", "US", "Input should be 'us' or 'eu'."),
        ("REGION", "europe", "Input should be 'us' or 'eu'."),
        ("PROFILE_API_URL", "profiles.segment.com", BASE_URL),
        ("PROFILE_API_URL", "ftp://profiles.segment.com", BASE_URL),
        ("PROFILE_API_URL", "https:///v1", BASE_URL),
        ("PROFILE_API_URL", "https://user:password@proxy.example.com", BASE_URL),
        ("PROFILE_API_URL", "https://proxy.example.com?key=1", BASE_URL),
        ("PROFILE_API_URL", "https://proxy.example.com#v1", BASE_URL),
        ("REDIS_URL", "cache:6379", REDIS),
        ("REDIS_URL", "http://cache:6379", REDIS),
        ("HASH_KEY", "fifteen-letters", "write 16 characters or more."),
        ("WEBHOOK_SECRET", "fifteen-letters", "write 16 characters or more."),
        ("ALLOWED_ORIGINS", "*", ORIGIN),
        ("ALLOWED_ORIGINS", "null", ORIGIN),
        ("ALLOWED_ORIGINS", "blog.example.com", ORIGIN),
        ("ALLOWED_ORIGINS", "//blog.example.com", ORIGIN),
        ("ALLOWED_ORIGINS", "file:///index.html", ORIGIN),
        ("ALLOWED_ORIGINS", "https://", ORIGIN),
        ("ALLOWED_ORIGINS", "https://blog.example.com/", ORIGIN),
        ("ALLOWED_ORIGINS", "https://blog.example.com/posts", ORIGIN),
        ("ALLOWED_ORIGINS", "https://blog.example.com?", ORIGIN),
        ("ALLOWED_ORIGINS", "https://blog.example.com#", ORIGIN),
        ("ALLOWED_ORIGINS", "https://blog.example\n.com", ORIGIN),
        ("ALLOWED_ORIGINS", "https://*.example.com", ORIGIN),
        ("ALLOWED_ORIGINS", "https://user@blog.example.com", USER_NAME),
        ("ALLOWED_ORIGINS", "https://[blog.example.com", ORIGIN),
        ("ALLOWED_ORIGINS", "https://blog.example.com:443", OWN_PORT),
        ("ALLOWED_ORIGINS", "https://blog.example.com:", ORIGIN),
        ("ALLOWED_ORIGINS", "https://blog.example.com:123456", ORIGIN),
        ("ALLOWED_ORIGINS", "https://blog example.com", ORIGIN),
        ("ALLOWED_ORIGINS", "https://bücher.example", ORIGIN),
        ("REDIS_URL", "redis://:pw@cache:notaport", REDIS),
        ("PROFILE_API_URL", "https://:canary@profiles.example.com", BASE_URL),
        ("REDIS_URL", "redis://cache?socket_timeout=60", REDIS),
        ("REDIS_URL", "redis://cache/abc", REDIS),
        ("REDIS_URL", "redis://a,b", REDIS),
        ("REDIS_URL", "redis://cache:0", REDIS),
        ("REDIS_URL", "redis://user:#canary@cache", REDIS),
        ("REDIS_URL", "redis://:1#canary@cache", REDIS),
        ("REDIS_URL", "redis+sentinel://a,b/cache/first", REDIS),
        ("REDIS_URL", "redis+sentinel://a,b/cache?socket_timeout=60", REDIS),
        ("REDIS_URL", "redis+cluster://a,b?max_connections=1", REDIS),
        ("REDIS_URL", "unix+cluster:///run/redis.sock", REDIS),
        ("REDIS_URL", "redis+sentinel://a,b", REDIS),
        ("REDIS_URL", "redis+sentinel://a,b:x/cache", REDIS),
        ("REDIS_URL", "redis+sentinel:///cache", REDIS),
        ("REDIS_URL", "redis+cluster://a,,b", REDIS),
        ("REDIS_URL", "redis+cluster://a/1", REDIS),
        ("REDIS_URL", "unix://", REDIS),
        ("PROFILE_API_URL", "http://profiles.example.com:99999", BASE_URL),
        ("POSTS_URL", "http://blog.example.com:abc/feed", "this is no http(s) URL of a host."),
        ("POSTS_URL", "ftp://u:canary@blog.example.com/feed", "this is no http(s) URL of a host."),
        ("ALLOWED_ORIGINS", "https://blog.example.com:99999", ORIGIN),
        ("CLIENT_RATE_LIMIT", "-1", "greater than or equal to 0"),
        ("CLIENT_RATE_LIMIT", "50/s", "valid integer"),
        ("TRUSTED_PROXIES", "*", "'*' is no address or network"),
        ("TRUSTED_PROXIES", "10.0.0.1/8", "'10.0.0.1/8' is no address or network"),
        ("TRUSTED_PROXIES", "proxy.example.com", "write it like 10.0.0.0/8 or 2001:db8::1"),
        ("POSTS_URL", "https://", "this is no http(s) URL of a host."),
        ("POSTS_URL", "x" * 300, "there is no readable file"),
        ("POSTS_URL", "https://blog.example.com/feed,ftp://blog.example.com", "this is no http(s) URL of a host."),
        ("PRODUCTS_URL", "nowhere.csv", "there is no readable file"),
        ("CACHE_TTL", "9" * 400 + "d", "less than or equal to 86400."),
        ("API_KEYS", f"sha256:{'a' * 63}", ENTRY),
        ("API_KEYS", "web:schlüssel-mit-umlaut", ENTRY),
        ("API_KEYS", "a" * 15, ENTRY),
        ("API_KEYS", "web:" + "a" * 15, ENTRY),
        ("API_KEYS", f"web:{KEY}:colon", ENTRY),
        ("API_KEYS", f"web key:{KEY}", ENTRY),
        ("API_KEYS", f":{KEY}", ENTRY),
        ("API_KEYS", f"web:{KEY} blank", ENTRY),
        ("API_KEYS", "web:sha256:" + "a" * 63, ENTRY),
        ("API_KEYS", "web:sha256:" + "g" * 64, ENTRY),
        ("API_KEYS", f"web:{KEY},short", "entry 2: write `name:key`"),
        ("IDENTITY_KEYS", SECRET, "entry 1: write `kid:secret`"),
        ("IDENTITY_KEYS", f"web:{SECRET},new:{'a' * 31}", "entry 2: write a secret of 32 bytes or more"),
        ("IDENTITY_KEYS", f"web:{SECRET},web:{OTHER_SECRET}", "entry 2: there is a key of this kid already"),
        ("IDENTITY_KEYS", "web:@/nowhere/public.pem", "entry 1: the file cannot be read: No such file or directory"),
        ("ID_TYPES", "Android ID", "is not an id type: write it like android_idfa."),
        ("PII_IDS", "perhaps", "valid boolean"),
        ("RECIPES", ",", "at least 1"),
        ("DEADLINE", "49ms", "greater than or equal to 0.05."),
        ("DEADLINE", "2001ms", "less than or equal to 2."),
        ("DEADLINE", "1", DURATION),
        ("DEADLINE", "1 s", DURATION),
        ("DEADLINE", "s", DURATION),
        ("DEADLINE", "1S", DURATION),
        ("CACHE_TTL", "-1s", DURATION),
        ("CACHE_TTL", "1e3s", DURATION),
        ("CACHE_TTL", "nans", DURATION),
        ("CACHE_TTL", "1h30m", DURATION),
        ("NEGATIVE_TTL", "soon", DURATION),
        ("BROWSER_TTL", "1w", DURATION),
        ("METRICS_PORT", "65536", "less than or equal to 65535."),
        ("DRAIN_DELAY", "16s", "less than or equal to 15."),
        ("ACCESS_LOG", "none", "write `problems`, `all`, or `sampled:`"),
        ("ACCESS_LOG", "all:0.5", "write `problems`, `all`, or `sampled:`"),
        ("ACCESS_LOG", "sampled:2", "a share like 0.01"),
        ("ACCESS_LOG", "sampled", "a share like 0.01"),
        ("TRACES_URL", "collector:4318", "write an http(s) URL like http://collector:4318/v1/traces."),
        ("TRACES_SHARE", "2", "less than or equal to 1."),
        ("LOG_FORMAT", "xml", "Input should be 'console' or 'json'."),
    ],
)
def test_a_wrong_value_is_one_sentence(name: str, text: str, reason: str) -> None:
    """The sentence begins with the setting's name, says what to write, and ends."""
    [sentence] = problems_of(**{name: text})
    assert sentence.startswith(f"PERSONALIZE_{name}: ")
    assert reason in sentence
    assert sentence.endswith(".")


def test_what_must_be_set() -> None:
    """An empty environment is told both names, and what they are for."""
    assert problems({}) == [
        "PERSONALIZE_SPACE_ID is not set. The Segment space whose profiles are read.",
        "PERSONALIZE_ACCESS_TOKEN is not set. Its Profile API access token.",
    ]


def test_everything_wrong_is_told_at_once() -> None:
    """Nobody has to start the service five times to learn of five mistakes."""
    environ = {
        "PERSONALIZE_ACCESS_TOKEN": "t",
        "PERSONALIZE_ACCESS_TOKEN_FILE": "/nowhere",
        "PERSONALIZE_HASH_KEY_FILE": "/nowhere",
        "PERSONALIZE_REGIN": "eu",
        "PERSONALIZE_CACHE_TTL": "5",
        "PERSONALIZE_ALLOWED_ORIGINS": "*,https://blog.example.com/",
    }
    assert sorted(sentence.split()[0].rstrip(":") for sentence in problems(environ)) == [
        "PERSONALIZE_ACCESS_TOKEN",
        "PERSONALIZE_ALLOWED_ORIGINS",
        "PERSONALIZE_ALLOWED_ORIGINS",
        "PERSONALIZE_CACHE_TTL",
        "PERSONALIZE_HASH_KEY_FILE",
        "PERSONALIZE_REGIN",
        "PERSONALIZE_SPACE_ID",
    ]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("ACCES_TOKEN", "PERSONALIZE_ACCES_TOKEN is not a setting. Did you mean PERSONALIZE_ACCESS_TOKEN?"),
        ("ALLOWED_ORIGIN", "PERSONALIZE_ALLOWED_ORIGIN is not a setting. Did you mean PERSONALIZE_ALLOWED_ORIGINS?"),
        ("POSTS_URL_FILE", "PERSONALIZE_POSTS_URL_FILE is not a setting. Did you mean PERSONALIZE_POSTS_URL?"),
        ("Q" * 40, f"PERSONALIZE_{'Q' * 40} is not a setting."),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(name: str, sentence: str) -> None:
    """A typing mistake must not silently mean a default; only what is near is suggested, and no value is shown."""
    assert problems_of(**{name: TOKEN}) == [sentence]


@pytest.mark.parametrize(
    "name",
    [
        "PERSONALIZE_SERVICE_HOST",
        "PERSONALIZE_SERVICE_PORT",
        "PERSONALIZE_SERVICE_PORT_HTTP",
        "PERSONALIZE_PORT",
        "PERSONALIZE_PORT_8000_TCP",
        "PERSONALIZE_PORT_8000_TCP_ADDR",
        "PERSONALIZED_MESSAGES",
        "PATH",
    ],
)
def test_what_is_not_ours_is_ignored(name: str) -> None:
    """Kubernetes injects names for a Service called personalize; other programs have names of their own."""
    assert settings.load({**environment(), name: "tcp://10.0.0.1:8000"}) == settings.load(environment())


@pytest.mark.parametrize("blank", ["", "   ", "\t\n"])
def test_a_blank_value_counts_as_unset(blank: str) -> None:
    """Templates of deployments write `NAME=` for what they leave open."""
    names = [*(name.upper() for name in DEFAULTS), *(f"{secret}_FILE" for secret in SECRETS), "UNKNOWN"]
    assert settings_of(**dict.fromkeys(names, blank)) == settings_of()
    assert len(problems({"PERSONALIZE_SPACE_ID": blank, "PERSONALIZE_ACCESS_TOKEN": blank})) == 2


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("ACCESS_TOKEN", "token-of-a-file"),
        ("REDIS_URL", "redis://:password-of-a-file@cache"),
        ("HASH_KEY", "hash-key-of-a-file"),
        ("API_KEYS", f"web:{KEY}"),
        ("WEBHOOK_SECRET", "webhook-secret-of-a-file"),
        ("IDENTITY_KEYS", f"web:{SECRET}"),
    ],
)
def test_a_secret_may_come_from_a_file(secret: str, text: str, tmp_path: Path) -> None:
    """Platforms mount secrets as files, often with a newline at the end."""
    file = tmp_path / "secret"
    file.write_text(f"{text}\n", encoding="utf-8")
    environ = environment(**{f"{secret}_FILE": str(file)})
    if secret == "ACCESS_TOKEN":
        del environ["PERSONALIZE_ACCESS_TOKEN"]
    assert settings.load(environ).model_copy(update={"access_token_file": None}) == settings_of(**{secret: text})


def test_the_file_of_the_token_is_remembered(tmp_path: Path) -> None:
    """It is looked into again when the token is refused; of a secret that is only read at start nothing is kept."""
    token, other = tmp_path / "token", tmp_path / "other"
    token.write_text("token-of-a-file")
    other.write_text(f"web:{KEY}")
    loaded = settings.load(without_token(ACCESS_TOKEN_FILE=str(token), API_KEYS_FILE=str(other)))
    assert loaded.access_token_file == token
    assert ("PERSONALIZE_ACCESS_TOKEN_FILE", str(token)) in [(name, value) for name, value, _ in loaded.effective()]


def test_a_forced_token_has_no_file(tmp_path: Path) -> None:
    """The token of a real space is not looked for, and sent, where a sandbox stands in Segment's place."""
    token = tmp_path / "token"
    token.write_text("token-of-a-file")
    environ = without_token(ACCESS_TOKEN_FILE=str(token))
    loaded = settings.load(environ, forced={"PERSONALIZE_ACCESS_TOKEN": "sandbox-token"})
    assert (loaded.access_token.get_secret_value(), loaded.access_token_file) == ("sandbox-token", None)


def test_only_secrets_come_from_files() -> None:
    """Every setting that is masked may come from a file, and no other; what providers are told is theirs to read."""
    masked = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert {name.lower() for name in SECRETS} == masked - {"provider"} | {"api_keys", "identity_keys"}


def without_token(**named: str) -> dict[str, str]:
    environ = environment(**named)
    del environ["PERSONALIZE_ACCESS_TOKEN"]
    return environ


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """The sentence names the setting, the path and the reason, once: the secret is not called missing as well."""
    missing = str(tmp_path / "missing")
    assert problems(without_token(ACCESS_TOKEN_FILE=missing)) == [
        f"PERSONALIZE_ACCESS_TOKEN_FILE: {missing!r} cannot be read: No such file or directory."
    ]


def test_a_folder_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    """A mount that went wrong is a folder."""
    [sentence] = problems(without_token(ACCESS_TOKEN_FILE=str(tmp_path)))
    assert sentence.endswith("cannot be read: Is a directory.")


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are refused without being quoted."""
    file = tmp_path / "secret"
    file.write_bytes(b"canary\xff\xfe")
    assert problems(without_token(ACCESS_TOKEN_FILE=str(file))) == [
        f"PERSONALIZE_ACCESS_TOKEN_FILE: {str(file)!r} cannot be read: it is not text."
    ]


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    """A secret that was never written is not taken for an empty token."""
    file = tmp_path / "secret"
    file.write_text("\n")
    [sentence] = problems(without_token(ACCESS_TOKEN_FILE=str(file)))
    assert sentence.startswith("PERSONALIZE_ACCESS_TOKEN: ")


@pytest.mark.parametrize("secret", sorted(SECRETS))
def test_a_secret_and_its_file_are_not_both_set(secret: str, tmp_path: Path) -> None:
    """Which of two would count is nothing to guess."""
    values = {"ACCESS_TOKEN": "t", "REDIS_URL": "redis://cache", "HASH_KEY": "h" * 16, "API_KEYS": KEY}
    values["WEBHOOK_SECRET"], values["TRACES_URL"] = "w" * 16, "http://collector:4318/v1/traces"
    values["IDENTITY_KEYS"] = f"web:{SECRET}"
    values["WRITE_KEY"], values["WAREHOUSE_URL"] = "fake-write-key", "sqlite:///warehouse.db"
    file = tmp_path / "secret"
    file.write_text(values[secret])
    assert problems_of(**{secret: values[secret], f"{secret}_FILE": str(file)}) == [
        f"PERSONALIZE_{secret} and PERSONALIZE_{secret}_FILE are both set: keep one."
    ]


def test_what_counts_when_a_command_has_its_own_values() -> None:
    """Defaults stand behind the environment, and forced values before it."""
    loaded = settings.load(
        {"PERSONALIZE_CACHE_TTL": "2s", "PERSONALIZE_SPACE_ID": "theirs", "PERSONALIZE_BROWSER_TTL": " "},
        defaults={"PERSONALIZE_CACHE_TTL": "1s", "PERSONALIZE_BROWSER_TTL": "0s"},
        forced={"PERSONALIZE_SPACE_ID": "ours", "PERSONALIZE_ACCESS_TOKEN": "t"},
    )
    assert (loaded.cache_ttl, loaded.browser_ttl, loaded.space_id) == (2.0, 0.0, "ours")


def test_a_file_counts_before_a_default(tmp_path: Path) -> None:
    """A secret of a file is one that the environment names."""
    file = tmp_path / "keys"
    file.write_text(f"file:{KEY}")
    loaded = settings.load(
        environment(API_KEYS_FILE=str(file)), defaults={"PERSONALIZE_API_KEYS": f"default:{OTHER_KEY}"}
    )
    assert [name for name, _ in loaded.api_keys] == ["file"]


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_content_may_be_a_file(prefix: str, tmp_path: Path) -> None:
    """A path or a file URL that can be read becomes a path."""
    feed = tmp_path / "feed.xml"
    feed.write_text("<rss/>")
    assert settings_of(POSTS_URL=f"{prefix}{feed}").posts_url == (str(feed),)


@pytest.mark.parametrize("name", ["", "missing.xml", "feed.xml/below"])
def test_content_that_is_no_file_is_told(name: str, tmp_path: Path) -> None:
    """A folder, nothing, and a path through a file are told at start, not on the first poll."""
    (tmp_path / "feed.xml").write_text("<rss/>")
    place = str(tmp_path / name)
    assert problems_of(POSTS_URL=place) == [f"PERSONALIZE_POSTS_URL: {NO_FILE} {place!r}, and it is no http(s) URL."]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_content_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    """A file without permission is as good as none."""
    feed = tmp_path / "feed.xml"
    feed.write_text("<rss/>")
    feed.chmod(0)
    [sentence] = problems_of(POSTS_URL=str(feed))
    assert NO_FILE in sentence


CANARY = "canary-value-never-shown"


def secretive() -> Settings:
    """Return settings whose every secret holds the canary."""
    return settings_of(
        ACCESS_TOKEN=CANARY,
        REDIS_URL=f"redis://:{CANARY}@cache",
        HASH_KEY=CANARY,
        API_KEYS=f"web:{CANARY}",
        IDENTITY_KEYS=f"web:{CANARY * 2}",
        WEBHOOK_SECRET=CANARY,
    )


@pytest.mark.parametrize("show", [repr, str, lambda one: str(list(one.effective())), lambda one: str(one.model_dump())])
def test_no_representation_shows_a_secret(show: Callable[[Settings], str]) -> None:
    """Whatever prints the settings prints no token, password or key."""
    assert CANARY not in show(secretive())


def test_only_digests_of_keys_are_kept() -> None:
    """Who reads the process's settings learns no API key."""
    assert secretive().api_keys == (("web", digest(CANARY)),)


def test_the_effective_settings_are_masked_and_explained() -> None:
    """Each setting is shown once by its name, with what it is for; secrets as a mask, unset ones blank."""
    loaded = secretive().model_copy(
        update={"allowed_origins": ("https://a.example", "https://b.example"), "deadline": 0.25, "region": "eu"}
    )
    effective = {name: value for name, value, _ in loaded.effective()}
    assert effective == {
        "PERSONALIZE_SPACE_ID": SPACE,
        "PERSONALIZE_ACCESS_TOKEN": MASK,
        "PERSONALIZE_ACCESS_TOKEN_FILE": "",
        "PERSONALIZE_REGION": "eu",
        "PERSONALIZE_PROFILE_API_URL": "",
        "PERSONALIZE_REDIS_URL": MASK,
        "PERSONALIZE_HASH_KEY": MASK,
        "PERSONALIZE_ALLOWED_ORIGINS": "https://a.example, https://b.example",
        "PERSONALIZE_API_KEYS": f"web:{MASK}",
        "PERSONALIZE_WEBHOOK_SECRET": MASK,
        "PERSONALIZE_IDENTITY_KEYS": f"web:{MASK}",
        "PERSONALIZE_IDENTITY_AUDIENCE": "personalize",
        "PERSONALIZE_ID_TYPES": "",
        "PERSONALIZE_PII_IDS": "false",
        "PERSONALIZE_LOWERCASE_EXTERNAL_IDS": "false",
        "PERSONALIZE_RATE_LIMIT": "80",
        "PERSONALIZE_FLEET_SIZE": "",
        "PERSONALIZE_CLIENT_RATE_LIMIT": "50",
        "PERSONALIZE_TRUSTED_PROXIES": "",
        "PERSONALIZE_CONSOLE": "keys",
        "PERSONALIZE_RECIPES": "shipped",
        "PERSONALIZE_OVERRIDES": "",
        "PERSONALIZE_POSTS_URL": "",
        "PERSONALIZE_PRODUCTS_URL": "",
        "PERSONALIZE_VARIANTS_URL": "",
        "PERSONALIZE_PRIVATE_FEEDS": "false",
        "PERSONALIZE_DEADLINE": "0.25s",
        "PERSONALIZE_CACHE_TTL": "300s",
        "PERSONALIZE_REVALIDATE_TTL": "600s",
        "PERSONALIZE_STALE_TTL": "86400s",
        "PERSONALIZE_NEGATIVE_TTL": "30s",
        "PERSONALIZE_BROWSER_TTL": "60s",
        "PERSONALIZE_METRICS_PORT": "",
        "PERSONALIZE_DRAIN_DELAY": "5s",
        "PERSONALIZE_ACCESS_LOG": "problems",
        "PERSONALIZE_TRACES_URL": "",
        "PERSONALIZE_TRACES_SHARE": "0.01",
        "PERSONALIZE_WRITE_KEY": "",
        "PERSONALIZE_TRACKING_API_URL": "",
        "PERSONALIZE_EXPOSURES": "false",
        "PERSONALIZE_WAREHOUSE_URL": "",
        "PERSONALIZE_LOG_FORMAT": "json",
    }
    assert all(purpose.endswith(".") for _, _, purpose in loaded.effective())


@pytest.mark.parametrize(
    "name",
    [
        "REGION",
        "PROFILE_API_URL",
        "REDIS_URL",
        "DEADLINE",
        "CACHE_TTL",
        "NEGATIVE_TTL",
        "BROWSER_TTL",
        "LOG_FORMAT",
        "UNKNOWN",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_quoted(name: str) -> None:
    """Who swaps two lines of an environment file does not find the token in the logs."""
    assert CANARY not in "\n".join(problems_of(**{name: CANARY}))


@pytest.mark.parametrize(
    "entries", [f"web:{CANARY}:colon", f"bad name:{CANARY}", f"web:{CANARY},short-canary", f"web:sha256:{CANARY}"]
)
def test_a_refused_key_is_not_quoted(entries: str) -> None:
    """An entry is named by its number."""
    assert "canary" not in "\n".join(problems_of(API_KEYS=entries))
    assert "canary" not in "\n".join(problems_of(IDENTITY_KEYS=f"{entries},web:@{CANARY}"))


def test_an_identity_key_of_a_file_is_its_public_key(tmp_path: Path) -> None:
    """It is read at the start, as every secret is, and goes to the workers with the other settings."""
    file = tmp_path / "public.pem"
    file.write_bytes(public_pem(EC_KEY))
    loaded = settings_of(IDENTITY_KEYS=f"mobile:@{file}")
    assert loaded.identity_keys == (IdentityKey("mobile", "ES256", public_pem(EC_KEY)),)
    assert pickle.loads(pickle.dumps(loaded)).identity_keys == loaded.identity_keys


@pytest.mark.parametrize("secret", sorted(SECRETS - {"ACCESS_TOKEN"}))
def test_a_missing_file_of_a_secret_is_told_once(secret: str) -> None:
    """Nothing is said of what the setting itself would have to look like."""
    assert problems_of(**{f"{secret}_FILE": "/nowhere/secret"}) == [
        f"PERSONALIZE_{secret}_FILE: '/nowhere/secret' cannot be read: No such file or directory."
    ]


def test_a_refusal_carries_no_value_in_its_cause() -> None:
    """A traceback, should one be shown, ends at our own sentences."""
    with pytest.raises(SettingsError) as told:
        settings_of(API_KEYS=f"web:{CANARY}:colon")
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__


def test_settings_do_not_change() -> None:
    """What was checked at start stays what it was."""
    with pytest.raises(ValidationError, match="frozen"):
        settings_of().region = "eu"


def test_blanks_around_a_value_do_not_count() -> None:
    """A newline at the end of a token is the usual mistake of a secret's manifest."""
    loaded = settings_of(ACCESS_TOKEN=" fake-token\n", SPACE_ID="space1\n")
    assert (loaded.space_id, loaded.access_token.get_secret_value()) == ("space1", "fake-token")


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://user:canary@blog.example.com/feed/", "https://***@blog.example.com/feed/"),
        ("https://blog.example.com/feed/?token=canary", "https://blog.example.com/feed/?***"),
        ("https://blog.example.com/feed/", "https://blog.example.com/feed/"),
        ("https://user:p@canary@blog.example.com/feed/", "https://***@blog.example.com/feed/"),
        ("https://a.example/?canary,https://canary@b.example/", "https://a.example/?***, https://***@b.example/"),
    ],
)
def test_what_a_feeds_url_hides_is_not_shown(location: str, shown: str) -> None:
    """User names, passwords and queries of URLs are secrets too."""
    loaded = settings_of(POSTS_URL=location)
    assert {name: value for name, value, _ in loaded.effective()}["PERSONALIZE_POSTS_URL"] == shown
    assert "canary" not in repr(loaded)


def test_a_secret_in_place_of_its_file_is_not_quoted() -> None:
    """Who mixes up X and X_FILE finds no secret in the logs."""
    [problem] = problems_of(HASH_KEY_FILE="canary-of-a-hash-key")
    assert "canary" not in problem


def test_a_setting_is_written_as_it_is_named() -> None:
    """`PERSONALIZE_deadline` would silently contradict `PERSONALIZE_DEADLINE`."""
    with pytest.raises(SettingsError, match="PERSONALIZE_deadline is not a setting"):
        settings_of(deadline="1s")


def test_what_providers_are_told_is_kept_for_them() -> None:
    """Under its name and key as they were written; no representation shows a value."""
    loaded = settings_of(PROVIDER_FILMS_PATH=CANARY, PROVIDER_MY_FILMS_API_KEY=f" {CANARY} ", PROVIDER_FILMS_EMPTY="")
    told = {key: value.get_secret_value() for key, value in loaded.provider.items()}
    assert told == {"FILMS_PATH": CANARY, "MY_FILMS_API_KEY": CANARY}
    shown = {name: value for name, value, _ in loaded.effective() if name.startswith("PERSONALIZE_PROVIDER")}
    assert shown == {"PERSONALIZE_PROVIDER_FILMS_PATH": MASK, "PERSONALIZE_PROVIDER_MY_FILMS_API_KEY": MASK}
    assert CANARY not in repr(loaded)


@pytest.mark.parametrize("name", ["PROVIDER", "PROVIDER_FILMS", "PROVIDER_FILMS_", "PROVIDER_films_path"])
def test_a_providers_setting_has_a_name_and_a_key(name: str) -> None:
    """Anything else is a mistake."""
    [problem] = problems_of(**{name: CANARY})
    assert problem.startswith(f"PERSONALIZE_{name} is not a setting.")
    assert CANARY not in problem


def test_the_token_is_read_again(tmp_path: Path) -> None:
    """From its file; everything else stays, and so does a token that came without a file."""
    file = tmp_path / "token"
    file.write_text("first\n")
    loaded = settings.load({"PERSONALIZE_SPACE_ID": SPACE, "PERSONALIZE_ACCESS_TOKEN_FILE": str(file)})
    file.write_text("second\n")
    again = settings.renewed(loaded)
    assert again.access_token.get_secret_value() == "second"
    assert again.model_copy(update={"access_token": loaded.access_token}) == loaded
    unfiled = settings_of()
    assert settings.renewed(unfiled) is unfiled


@pytest.mark.parametrize(("content", "reason"), [("", "the file is empty."), (None, "No such file or directory.")])
def test_a_token_that_is_gone_is_one_sentence(content: str | None, reason: str, tmp_path: Path) -> None:
    """The last one is better than none."""
    file = tmp_path / "token"
    file.write_text("first")
    loaded = settings.load({"PERSONALIZE_SPACE_ID": SPACE, "PERSONALIZE_ACCESS_TOKEN_FILE": str(file)})
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError) as refused:
        settings.renewed(loaded)
    [problem] = refused.value.problems
    assert problem.startswith("PERSONALIZE_ACCESS_TOKEN_FILE: ")
    assert problem.endswith(reason)
