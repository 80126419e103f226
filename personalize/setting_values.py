"""What a setting may say: each kind of value, read from text. What is wrong is told as the rest of a sentence."""

import hashlib
import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from personalize import durations, keyring

MIN_KEY_LENGTH = 16
MAX_PORT = 65535

_HOST = re.compile(r"[a-z0-9.-]+|\[[0-9a-f:.]+\]")
_PORTS = {"http": 80, "https": 443}
# A key is what an HTTP header can carry: printable ASCII, here without the colon that ends its name.
_API_KEY = re.compile(
    r"(?:(?!sha256:)(?P<name>[\w-]+):)?(?:sha256:(?P<digest>[0-9a-fA-F]{64})|(?P<key>[!-9;-~]+))", re.ASCII
)


_NEVER = re.compile(r"(?!)")
_OF_A_HOST = re.compile(r"(/\d*)?\?")
_OF_A_SERVICE = re.compile(r"/[\w.-]+(/\d+)?\?")
_OF_A_CLUSTER = re.compile(r"/?\?")
_REDIS_FORMS = {
    "redis": _OF_A_HOST,
    "rediss": _OF_A_HOST,
    "redis+sentinel": _OF_A_SERVICE,
    "rediss+sentinel": _OF_A_SERVICE,
    "redis+cluster": _OF_A_CLUSTER,
    "rediss+cluster": _OF_A_CLUSTER,
    "unix": re.compile(r"/.+\?(db=\d+)?"),
}
"""Path and query of a Redis URL: other options would override the timeouts that keep Redis from holding up a page."""


def _seconds(text: object) -> object:
    """Return a duration with a unit in seconds."""
    return durations.seconds(text if isinstance(text, str) else "")


def listed(text: object) -> object:
    """Return the parts of a comma-separated list, without blanks around them or between them."""
    return tuple(part for one in text.split(",") if (part := one.strip())) if isinstance(text, str) else text


def _exact_origin(origin: str) -> str:
    """Return an origin as browsers send it (RFC 6454): scheme, host, port, nothing else."""
    if "@" in origin:
        raise ValueError("an origin has no user name: write it like https://blog.example.com")
    scheme, _, rest = origin.lower().partition("://")
    host, _, port = rest.rpartition(":") if re.search(r":\d*$", rest) else (rest, "", "")
    exact = scheme in _PORTS and _HOST.fullmatch(host) and (rest == host or 0 < int(port or 0) <= MAX_PORT)
    if not exact:
        raise ValueError(f"{origin!r} is not an exact origin: write it like https://blog.example.com")
    if port == str(_PORTS[scheme]):
        raise ValueError(f"{origin!r} is never sent: browsers leave out {scheme}'s own port")
    return origin.lower()


def _names_host(parts: SplitResult) -> bool:
    """Whether a URL is http(s) and names a host, and a port that there can be."""
    try:
        return parts.scheme in _PORTS and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port past 65535, or no number
        return False


def http_url(url: str) -> str:
    """Return the base URL of an API, without a slash or a version at its end."""
    parts = urlsplit(url)
    if not _names_host(parts) or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("write an http(s) URL without user name or query, like https://profiles.segment.com")
    return url.rstrip("/").removesuffix("/v1")


def content_location(location: str) -> str:
    """Return an http(s) URL, or the path of a file that can be read."""
    parts = urlsplit(location)
    if "://" in location and parts.scheme != "file":
        if not _names_host(parts):
            raise ValueError("this is no http(s) URL of a host")
        return location
    path = Path(unquote(location.removeprefix("file://")) if location.startswith("file://") else location)
    try:
        readable = path.is_file() and os.access(path, os.R_OK)
    except OSError:  # longer than a path may be, or below a folder that may not be entered
        readable = False
    if not readable:
        raise ValueError(f"there is no readable file {str(path)!r}, and it is no http(s) URL")
    return str(path)


def redis_url(url: SecretStr) -> SecretStr:
    """Return the URL of a Redis, of whatever kind, if it says nothing that would hold up a page."""
    try:
        parts = urlsplit(url.get_secret_value())
        hosts = [urlsplit(f"//{host}") for host in parts.netloc.rpartition("@")[2].split(",")]
        many = parts.scheme.endswith(("+sentinel", "+cluster"))
        sound = (
            _REDIS_FORMS.get(parts.scheme, _NEVER).fullmatch(f"{parts.path}?{parts.query}")
            and all(host.port != 0 for host in hosts)
            and not parts.fragment  # the rest of a password with a bare #
            and (many or len(hosts) == 1)
            and (not many or all(host.hostname for host in hosts))
        )
    except ValueError:  # a port that is no number
        sound = False
    if not sound:
        raise ValueError(
            "write redis://host:port/db, redis+sentinel://host:port,host:port/service/db, "
            "redis+cluster://host:port,host:port (or with rediss) or unix:///path?db=0, without other options"
        )
    return url


def id_type(name: str) -> str:
    """Return the name of an id type as Segment has such."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"{name!r} is not an id type: write it like android_idfa")
    return name


def access_log(text: str) -> str:
    """Return which answers are logged, if that can be told."""
    word, colon, share = text.partition(":")
    if colon and word == "sampled" and re.fullmatch(r"0?\.\d+|1(\.0*)?|0", share):
        return text
    if colon or word not in {"problems", "all"}:
        raise ValueError("write `problems`, `all`, or `sampled:` and a share like 0.01")
    return text


def collector(url: SecretStr) -> SecretStr:
    """Return a URL that may carry a collector's key, if it is one."""
    if not _names_host(urlsplit(url.get_secret_value())):
        raise ValueError("write an http(s) URL like http://collector:4318/v1/traces")
    return url


def network(text: str) -> str:
    """Return an address or a network as a network: `10.0.0.1` is `10.0.0.1/32`."""
    try:
        return str(ip_network(text))
    except ValueError:
        raise ValueError(f"{text!r} is no address or network: write it like 10.0.0.0/8 or 2001:db8::1") from None


def long_enough(key: SecretStr) -> SecretStr:
    """Return a key that nobody guesses."""
    if len(key.get_secret_value()) < MIN_KEY_LENGTH:
        raise ValueError(f"write {MIN_KEY_LENGTH} characters or more")
    return key


def hashed_keys(text: object) -> object:
    """Return the names of API keys, each with the SHA-256 of its key only."""
    keys: list[tuple[str, bytes]] = []
    for number, entry in enumerate(part for part in str(text).split(",") if part.strip()):
        match = _API_KEY.fullmatch(entry.strip())
        if match is None or (match["key"] and len(match["key"]) < MIN_KEY_LENGTH):
            raise ValueError(
                f"entry {number + 1}: write `name:key`, the key of {MIN_KEY_LENGTH} ASCII characters or more without "
                "colons, or `name:sha256:` and 64 hexadecimal digits"
            )
        digest = bytes.fromhex(match["digest"]) if match["digest"] else hashlib.sha256(match["key"].encode()).digest()
        keys.append((match["name"] or f"key{number + 1}", digest))
    return tuple(keys)


def identity_keys(text: object) -> object:
    """Return the keys of identity tokens."""
    return keyring.parsed(text) if isinstance(text, str) else text


Seconds = Annotated[float, BeforeValidator(_seconds)]
Listed = Annotated[tuple[str, ...], BeforeValidator(listed)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_exact_origin)], ...], BeforeValidator(listed)]
Locations = Annotated[tuple[Annotated[str, AfterValidator(content_location)], ...], BeforeValidator(listed)]
