"""Servers of a comparison, each a process on the same core; only one is under load at a time."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.conftest import free_port
from tests.processes import PYTHON, running, wait_for_port, wait_for_urls, wait_until_ready

CORE = 0
ORIGIN = "https://blog.example.com"
BROWSER = {
    "Host": "127.0.0.1",
    "Connection": "keep-alive",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36",
    "sec-ch-ua": '"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
    "Accept": "*/*",
    "Origin": ORIGIN,
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "Referer": f"{ORIGIN}/",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9",
}
"""What a browser sends with a script's request to another origin."""

KEY = "fake-key-of-a-benchmark"
FRESH = {
    "CACHE_TTL": "2h",
    "REVALIDATE_TTL": "3h",
    "OVERRIDES": "recommended-posts.ttl=2h,last-viewed-not-purchased.ttl=2h",
}
"""Settings by which nothing grows old while it is measured: what refreshing costs is measured by itself."""

PATHS = ("/api/recommended-posts?anonymous_id=", "/api/last-viewed-not-purchased?anonymous_id=")
"""The shipped recipes that a browser may ask without a token."""

SOMEBODY = "00000001-0000-4000-8000-000000000000"
CATEGORIES = ("Cycling", "Coffee", "Design", "Travel")


def posts(folder: Path, count: int) -> Path:
    """Write a file of posts."""
    file = folder / f"posts-{count}.json"
    told = [
        {
            "title": f"Post {number} about {CATEGORIES[number % len(CATEGORIES)]}",
            "url": f"https://blog.example.com/{number}",
            "published_at": f"2026-01-{1 + number % 28:02}T03:04:05Z",
            "categories": [CATEGORIES[number % len(CATEGORIES)]],
            "excerpt": "What it is about, in two lines of text that somebody took the time to write. " * 2,
        }
        for number in range(count)
    ]
    file.write_text(json.dumps(told))
    return file


@contextmanager
def upstream(latency: float = 0.0) -> Iterator[str]:
    """Run a Profile API that knows everybody, and return its URL; `latency` is in seconds."""
    with _asgi("tests.bench.upstream:app", {"BENCH_LATENCY": str(latency)}, core=None) as url:
        yield url


@contextmanager
def service(
    profile_api: str,
    posts_file: Path,
    named: Mapping[str, str] | None = None,
    *,
    workers: int = 1,
    core: int | None = CORE,
) -> Iterator[str]:
    """Run the service as it is shipped, with as much of a budget as there is; a load comes from one address."""
    settings = {
        "SPACE_ID": "bench",
        "ACCESS_TOKEN": "fake-token",
        "PROFILE_API_URL": profile_api,
        "POSTS_URL": str(posts_file),
        "ALLOWED_ORIGINS": ORIGIN,
        "API_KEYS": f"bench:{KEY}",
        "RATE_LIMIT": "10000",
        "CLIENT_RATE_LIMIT": "0",
        "DRAIN_DELAY": "0s",
        **(named or {}),
    }
    command = [*_pinned(core), PYTHON, "-m", "personalize", "serve", "--port", "0", "--workers", str(workers)]
    environment = {f"PERSONALIZE_{name}": value for name, value in settings.items()}
    with running(command, environment={**environment, "PYTHONDONTWRITEBYTECODE": ""}) as run:
        [url] = wait_for_urls(run, 1)
        wait_until_ready(url)
        yield url


@contextmanager
def rival(name: str, **environment: str) -> Iterator[str]:
    """Run one of the alternatives, and return its URL."""
    with _asgi(f"tests.bench.rivals.{name}:app", environment, core=CORE) as url:
        yield url


def answers_of(url: str, folder: Path) -> Path:
    """Write what a server answers to somebody by each path, headers and all, for rivals that send the same bytes."""
    told = {}
    for path in PATHS:
        answer = httpx.get(f"{url}{path}{SOMEBODY}", headers=BROWSER, trust_env=False)
        answer.raise_for_status()
        headers = [(name, value) for name, value in answer.headers.multi_items() if name != "date"]
        told[path.partition("?")[0]] = {"body": answer.text, "headers": headers}
    file = folder / "answers.json"
    file.write_text(json.dumps(told))
    return file


def metric(url: str, name: str, **labels: str) -> float:
    """Return what a service counts under a name with these labels, and any others."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    lines = httpx.get(f"{url}/metrics", trust_env=False).text.splitlines()
    found = (one for one in lines if re.match(rf"personalize_{name}[{{ ]", one))
    return sum(float(one.rsplit(" ", 1)[1]) for one in found if all(label in one for label in wanted))


@contextmanager
def _asgi(app: str, environment: Mapping[str, str], *, core: int | None) -> Iterator[str]:
    port = free_port()
    quiet = ["--log-level", "warning", "--no-access-log", "--no-server-header", "--no-proxy-headers"]
    command = [*_pinned(core), PYTHON, "-m", "uvicorn", app, "--port", str(port), *quiet]
    with running(command, environment=environment):
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}"


def _pinned(core: int | None) -> list[str]:
    return ["taskset", "--cpu-list", str(core)] if core is not None and shutil.which("taskset") else []
