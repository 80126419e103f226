"""The commands: what they say, where they say it, and how they end."""

import hashlib
import os
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from personalize import cli, listening
from personalize.cli import demonstration, serving
from personalize.declare import Access, recipe
from personalize.errors import SettingsError
from personalize.model import Collection
from personalize.registry import AnyRecipe
from personalize.testing import API_KEY
from personalize.web import snippet
from tests.doubles import SPACE, TOKEN, UUID, environment
from tests.processes import PYTHON, personalize, wait_for_urls, without_settings
from tests.tokens import SECRET, WEB

SERVICE, SANDBOX = "http://127.0.0.1:8000", "http://127.0.0.1:8100"


def ran(*arguments: str, **named: str) -> subprocess.CompletedProcess[str]:
    """Return a command that has ended by itself, run with these settings and no others."""
    settings = {f"PERSONALIZE_{name}": value for name, value in named.items()}
    return subprocess.run(
        [PYTHON, "-m", "personalize", *arguments],
        env={**without_settings(), **settings},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def invoked(*arguments: str, **named: str) -> Result:
    """Return what a command says in this process, run with these settings and no others; what it raises passes."""
    others = {name: None for name in os.environ if name.startswith("PERSONALIZE_")}
    settings = {f"PERSONALIZE_{name}": value for name, value in named.items()}
    return CliRunner().invoke(cli.app, arguments, env={**others, **settings}, catch_exceptions=False)


@contextmanager
def taken_port() -> Iterator[str]:
    """Return a port of the loopback that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


REQUIRED = {"SPACE_ID": SPACE, "ACCESS_TOKEN": TOKEN}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["serve", "sandbox", "check-config", "personalize serve --sandbox"]),
        (["serve", "--help"], ["--host", "--port", "--workers", "--sandbox", "--sandbox-port", "check-config"]),
        (["sandbox", "--help"], ["--host", "--port", "--service"]),
        (["check-config", "--help"], ["secrets masked"]),
        (["token", "--help"], ["--ttl", "--kid", "--sandbox", "user_id:ada"]),
    ],
)
def test_help_names_what_there_is(arguments: list[str], words: list[str]) -> None:
    """Every command and option is found without documentation."""
    done = invoked(*arguments)
    assert done.exit_code == 0
    assert [word for word in words if word not in done.stdout] == []


@pytest.mark.parametrize(
    ("arguments", "ends", "without"),
    [
        (["--help"], 0, {"pydantic", "httpx", "aiohttp", "starlette", "uvicorn", "redis", "jwt", "structlog"}),
        (["recipes", "new", "Bad"], 2, {"httpx", "aiohttp", "starlette", "uvicorn", "redis", "jwt"}),
        (["recipes", "list"], 0, {"httpx", "aiohttp", "starlette", "uvicorn", "redis", "jwt"}),
        (["sync", "check", "nowhere.toml"], 2, {"aiohttp", "starlette", "uvicorn", "redis", "jwt"}),
        (["token", "user_id:ada", "--sandbox"], 0, {"httpx", "aiohttp", "starlette", "uvicorn", "redis"}),
        (["sandbox", "--port", "1", "--host", "192.0.2.1"], 2, {"aiohttp", "redis", "jwt", "personalize.settings"}),
        (["check-config"], 0, {"httpcore", "redis", "sqlalchemy", "personalize.sandbox.app"}),
    ],
)
def test_a_command_imports_its_own_work_alone(arguments: list[str], ends: int, without: set[str]) -> None:
    """Nobody waits for libraries that only other commands need, or other settings."""
    probe = (
        f"import runpy, sys\nsys.argv = {['personalize', *arguments]}\n"
        "try:\n    runpy.run_module('personalize', run_name='__main__')\n"
        f"finally:\n    print(*{without} & sys.modules.keys(), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [PYTHON, "-c", probe],
        env={**without_settings(), "PERSONALIZE_SPACE_ID": SPACE, "PERSONALIZE_ACCESS_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (ends, "")


def test_the_version_is_told() -> None:
    """For a report of what went wrong."""
    assert invoked("--version").output == f"personalize {version('personalize')}\n"


def test_without_a_command_there_is_help() -> None:
    """Who tries the bare name learns how to start."""
    assert "personalize serve --sandbox" in invoked().output


@pytest.mark.parametrize(
    "arguments", [["serve", "--port", "65536"], ["serve", "--port", "http"], ["serve", "--workers", "0"], ["start"]]
)
def test_a_wrong_argument_is_told(arguments: list[str]) -> None:
    """Status 2, and the argument is named."""
    done = invoked(*arguments)
    assert done.exit_code == 2
    assert arguments[-2 if len(arguments) > 1 else 0] in done.stderr


def test_check_config_shows_what_is_in_effect() -> None:
    """Each setting after what it is for, secrets masked, and the recipes by name."""
    done = invoked("check-config", **REQUIRED, API_KEYS=f"web:{API_KEY}", CACHE_TTL="5m", HASH_KEY="canary-hash-key-0")
    assert done.exit_code == 0
    assert done.stdout.startswith(f"# The Segment space whose profiles are read.\nPERSONALIZE_SPACE_ID={SPACE}\n\n")
    lines = done.stdout.splitlines()
    assert {
        "PERSONALIZE_ACCESS_TOKEN=***",
        "PERSONALIZE_HASH_KEY=***",
        "PERSONALIZE_API_KEYS=web:***",
        "PERSONALIZE_CACHE_TTL=300s",
        "PERSONALIZE_REDIS_URL=",
    } < {*lines}
    assert f"# In pages: {snippet.tag('https://personalize.example.com')}" in lines
    assert lines[-1] == f"# Recipes: {', '.join(SHIPPED)}"
    assert not [secret for secret in (TOKEN, API_KEY, "canary") if secret in done.output]


def test_check_config_warns_of_content_at_private_addresses() -> None:
    """The place without its secrets, and the setting; what is public, a file or allowed is not mentioned."""
    place = "http://u:canary@169.254.169.254/feed?canary"
    content = {"POSTS_URL": f"https://8.8.8.8/feed,{place}", "PRODUCTS_URL": f"{__file__}, http://[::1]/x"}
    done = invoked("check-config", **REQUIRED, **content)
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [
        f"Warning: {shown} is at a private address: it is not asked without PERSONALIZE_PRIVATE_FEEDS=true."
        for shown in ("http://169.254.169.254/feed", "http://[::1]/x")
    ]
    assert "canary" not in done.output
    assert invoked("check-config", **REQUIRED, **content, PRIVATE_FEEDS="true").stderr == ""


def test_check_config_says_all_that_is_wrong() -> None:
    """Every mistake is one line of standard error; nothing is on standard output, and nothing is quoted."""
    done = ran("check-config", ACCESS_TOKEN=TOKEN, REGION=TOKEN, ACCESS_TOKN=TOKEN, API_KEYS=f"a:b:{API_KEY}")
    assert done.returncode == 2
    assert done.stdout == ""
    names = [line.split()[0].rstrip(":") for line in done.stderr.splitlines()]
    assert sorted(names) == [
        "PERSONALIZE_ACCESS_TOKN",
        "PERSONALIZE_API_KEYS",
        "PERSONALIZE_REGION",
        "PERSONALIZE_SPACE_ID",
    ]
    assert TOKEN not in done.stderr
    assert API_KEY not in done.stderr


def test_check_config_says_what_is_wrong_with_a_recipe(tmp_path: Path) -> None:
    """File, line and reason, in one sentence."""
    broken = tmp_path / "broken.py"
    broken.write_text("one = 1\nother = unknown\n")
    done = ran("check-config", **REQUIRED, RECIPES=str(broken))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{broken}:2: NameError: name 'unknown' is not defined\n"


def test_serve_without_settings_says_which_are_missing() -> None:
    """Two sentences, no traceback, and no word of a service that listens."""
    done = ran("serve", "--port", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split()[0] for line in done.stderr.splitlines()] == [
        "PERSONALIZE_SPACE_ID",
        "PERSONALIZE_ACCESS_TOKEN",
    ]


@pytest.mark.parametrize(
    "arguments",
    [["serve"], ["serve", "--sandbox", "--sandbox-port", "0"], ["sandbox"]],
)
def test_a_port_in_use_is_told(arguments: list[str]) -> None:
    """One sentence that names the address, and no word of a service that listens."""
    with taken_port() as port:
        done = ran(*arguments, "--port", port, **REQUIRED)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"Personalize cannot listen on 127.0.0.1:{port}: Address already in use. Choose another with --port.\n"
    )


def test_a_sandbox_port_in_use_is_told() -> None:
    """The sentence names the sandbox's own address, not the service's."""
    with taken_port() as port:
        done = ran("serve", "--sandbox", "--port", "0", "--sandbox-port", port)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"Personalize cannot listen on 127.0.0.1:{port}: Address already in use. Choose another with --sandbox-port.\n"
    )


def test_serve_answers_until_it_is_told_to_stop() -> None:
    """It says where it listens, and ends with status 0."""
    with personalize("serve", "--port", "0", environment=environment(), anew=True) as run:
        [url] = wait_for_urls(run, 1)
        answered = httpx.get(f"{url}/livez", trust_env=False)
    assert answered.json() == {"status": "alive"}
    assert run.process.returncode == 0
    assert f"Personalize listens on {url} (Ctrl-C stops it).\n" in run.output
    assert TOKEN not in run.output


def test_the_sandbox_alone_answers_until_it_is_told_to_stop() -> None:
    """It needs no setting, says where it listens, and ends with status 0."""
    with personalize("sandbox", "--port", "0", anew=True) as run:
        [url] = wait_for_urls(run, 1)
        answered = httpx.get(f"{url}/blog/feed.xml", trust_env=False)
    assert answered.status_code == 200
    assert run.process.returncode == 0
    assert f"The sandbox listens on {url} (Ctrl-C stops it).\n" in run.output


SHIPPED = [
    "account-overview",
    "audience-content",
    "campaign-properties",
    "customer-context",
    "event-timeline",
    "last-viewed-not-purchased",
    "recommended-posts",
]


def _proof(words: list[str]) -> dict[str, str]:
    """Return the header that a curl command sends."""
    return dict(words[words.index("-H") + 1].split(": ") for _ in range(words.count("-H")))


def test_every_call_of_the_welcome_works() -> None:
    """What a newcomer pastes first is answered, and personally."""
    with personalize("serve", "--sandbox", "--port", "0", "--sandbox-port", "0", anew=True) as run:
        wait_for_urls(run, 2)
        commands = [shlex.split(line) for line in run.output.splitlines() if line.startswith("  curl ")]
        answers = [httpx.get(url, headers=_proof(words), trust_env=False).json() for *words, url in commands]
    assert [answer["recipe"] for answer in answers] == SHIPPED
    assert all(answer["personalized"] for answer in answers)
    assert run.process.returncode == 0


def asking(access: Access, collection: Collection = "users") -> AnyRecipe:
    """Return a recipe named by its access."""

    def nothing() -> None:
        """Say nothing."""

    return recipe(access, access=access, collection=collection)(nothing)


@pytest.mark.parametrize(
    ("asked", "call"),
    [
        (asking("public"), f"curl '{SERVICE}/api/public?user_id=ada'"),
        (asking("verified"), f"curl '{SERVICE}/api/verified?anonymous_id={UUID}'"),
        (asking("server"), f"curl -H 'Authorization: Bearer k' '{SERVICE}/api/server?user_id=ada'"),
        (asking("verified", "accounts"), f"curl -H 'Authorization: Bearer k' '{SERVICE}/api/verified?group_id=acme'"),
    ],
)
def test_a_call_carries_the_proof_that_its_recipe_wants(asked: AnyRecipe, call: str) -> None:
    """What is pasted is not refused."""
    assert serving._curl(SERVICE, asked, "k") == call


SERVER_RECIPE = """
from personalize import recipe

@recipe("for-servers", access="server")
def for_servers() -> str:
    return "yes"
"""


@pytest.mark.parametrize(("keys", "shown"), [({}, "sandbox-api-key"), ({"API_KEYS": API_KEY}, "<your API key>")])
def test_the_welcome_shows_a_key_that_is_live(keys: dict[str, str], shown: str, tmp_path: Path) -> None:
    """The sandbox's own is known to all; another one is not printed."""
    (tmp_path / "mine.py").write_text(SERVER_RECIPE)
    settings = {f"PERSONALIZE_{name}": value for name, value in {**keys, "RECIPES": str(tmp_path)}.items()}
    sandboxed = ["serve", "--sandbox", "--port", "0", "--sandbox-port", "0"]
    with personalize(*sandboxed, environment=settings, anew=True) as run:
        wait_for_urls(run, 2)
    assert f"curl -H 'Authorization: Bearer {shown}'" in run.output


def test_a_broken_recipe_is_told_before_any_promise(tmp_path: Path) -> None:
    """No word of a service that listens, and then does not."""
    (tmp_path / "mine.py").write_text("x = unknown")
    done = ran("serve", "--port", "0", **REQUIRED, RECIPES=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")


def test_check_config_makes_the_service(tmp_path: Path) -> None:
    """What `serve` would refuse is refused: here a recipe that asks for a provider of nobody."""
    (tmp_path / "mine.py").write_text(
        "from typing import Annotated\nfrom personalize import Items, Posts, recipe\n\n"
        "@recipe('mine')\ndef mine(films: Annotated[Posts, Items('films')]) -> int:\n    return 1\n"
    )
    done = ran("check-config", **REQUIRED, RECIPES=str(tmp_path))
    assert done.returncode == 2
    assert "no provider is named 'films'; there is posts, products" in done.stderr


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1"),
        ("0.0.0.0", "http://127.0.0.1"),
        ("::", "http://[::1]"),
        ("::1", "http://[::1]"),
        ("blog.example.com", "http://blog.example.com"),
    ],
)
def test_a_url_can_be_opened(host: str, url: str) -> None:
    """An address that stands for all of them is shown as the loopback's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert listening.url(host, listener) == f"{url}:{listener.getsockname()[1]}"


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Return this process's environment, without any setting, to set some."""
    for name in [name for name in os.environ if name.startswith("PERSONALIZE_")]:
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.usefixtures("environ")
def test_the_sandbox_needs_no_settings() -> None:
    """What a demonstration needs is set; the demo's pages may ask under both names of this machine."""
    loaded = demonstration.sandbox_settings(SANDBOX)
    assert (loaded.space_id, loaded.access_token.get_secret_value()) == ("sandbox", "sandbox-token")
    assert (loaded.profile_api_url, loaded.posts_url) == (SANDBOX, (f"{SANDBOX}/blog/feed.xml",))
    assert (loaded.cache_ttl, loaded.browser_ttl, loaded.log_format) == (300.0, 0.0, "console")
    assert loaded.overrides == ("last-viewed-not-purchased.ttl=1s", "event-timeline.ttl=1s")
    assert loaded.allowed_origins == (SANDBOX, "http://localhost:8100")
    assert loaded.api_keys == (("sandbox", hashlib.sha256(b"sandbox-api-key").digest()),)
    assert [(key.kid, key.algorithm) for key in loaded.identity_keys] == [("sandbox", "HS256")]


def test_the_sandbox_takes_the_settings_that_are_there(environ: pytest.MonkeyPatch) -> None:
    """Whatever they name, no space of Segment's is asked; everything else is as the environment says."""
    for name, value in environment(
        PROFILE_API_URL="https://profiles.segment.com",
        CACHE_TTL="2s",
        ALLOWED_ORIGINS="https://blog.example.com",
        IDENTITY_KEYS=f"web:{SECRET}",
    ).items():
        environ.setenv(name, value)
    loaded = demonstration.sandbox_settings(SANDBOX)
    assert (loaded.space_id, loaded.access_token.get_secret_value()) == ("sandbox", "sandbox-token")
    assert loaded.profile_api_url == SANDBOX
    assert loaded.cache_ttl == 2.0
    assert loaded.allowed_origins == ("https://blog.example.com", SANDBOX, "http://localhost:8100")
    assert loaded.identity_keys == (WEB,)


def test_wrong_settings_stop_the_sandbox_too(environ: pytest.MonkeyPatch) -> None:
    """A mistake in what counts is told there as everywhere."""
    environ.setenv("PERSONALIZE_DEADLINE", "1")
    with pytest.raises(SettingsError, match="PERSONALIZE_DEADLINE"):
        demonstration.sandbox_settings(SANDBOX)
