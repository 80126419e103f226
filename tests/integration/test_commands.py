"""What commands say to somebody who starts them, and how they end."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.processes import personalize, running, wait_for_urls, wait_until
from tests.sites import against


@pytest.fixture(scope="module")
def sandbox_url() -> Iterator[str]:
    """Return the URL of a sandbox for all commands: what they do changes nothing there."""
    with personalize("sandbox", "--port", "0") as run:
        yield wait_for_urls(run, 1)[0]


def finished(*arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Return the status and the output of a command that ends by itself."""
    with personalize(*arguments, environment=environment) as run:
        run.process.wait(20)
    return run.process.returncode, run.output


def test_a_port_in_use_is_one_sentence() -> None:
    """Who starts a second service learns which address is taken and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, output = finished("serve", "--sandbox", "--port", str(port), "--sandbox-port", "0")

    assert status == 2
    assert output == (
        f"Personalize cannot listen on 127.0.0.1:{port}: Address already in use. Choose another with --port.\n"
    )


def test_missing_settings_are_all_told() -> None:
    """Without a space and a token the service says so, and ends."""
    status, output = finished("serve", "--port", "0")

    assert status == 2
    assert [line.split()[0] for line in output.splitlines()] == ["PERSONALIZE_SPACE_ID", "PERSONALIZE_ACCESS_TOKEN"]


@pytest.mark.parametrize("setting", ["POSTS_URL", "ACCESS_TOKEN_FILE"])
def test_an_unreadable_file_is_one_sentence(setting: str, tmp_path: Path) -> None:
    """A file that is not there is named with the setting that names it."""
    missing = str(tmp_path / "missing")
    environment = {
        "PERSONALIZE_SPACE_ID": "space1",
        "PERSONALIZE_ACCESS_TOKEN": "fake-token",
        f"PERSONALIZE_{setting}": missing,
    }
    if setting == "ACCESS_TOKEN_FILE":
        del environment["PERSONALIZE_ACCESS_TOKEN"]
    status, output = finished("serve", "--port", "0", environment=environment)

    assert status == 2
    [sentence] = output.splitlines()
    assert sentence.startswith(f"PERSONALIZE_{setting}: ")
    assert missing in sentence


def test_a_broken_recipe_stops_the_start(tmp_path: Path) -> None:
    """The sentence names file, line and what to write instead."""
    broken = tmp_path / "broken.py"
    broken.write_text(
        "from typing import Annotated\n"
        "from personalize import Trait, recipe\n\n\n"
        "@recipe('broken')\n"
        "def broken(city: Annotated[str, Trait('city')]) -> str:\n"
        "    return city\n"
    )
    environment = {"PERSONALIZE_RECIPES": str(broken)}
    status, output = finished("serve", "--sandbox", "--port", "0", "--sandbox-port", "0", environment=environment)

    assert status == 2
    assert f"{broken}:5: recipe 'broken': parameter 'city' needs a default" in output
    assert "Traceback" not in output


def test_a_new_file_in_a_folder_is_served(tmp_path: Path, sandbox_url: str) -> None:
    """`RECIPES` may name a folder of one's own alone."""
    (tmp_path / "hello.py").write_text(
        "from personalize import recipe\n\n\n"
        "@recipe('hello', access='public')\n"
        "def hello() -> str:\n"
        "    return 'hello'\n"
    )
    status, output = finished("check-config", environment=against(sandbox_url, RECIPES=str(tmp_path)))

    assert (status, output.splitlines()[-1]) == (0, "# Recipes: hello")


def test_check_config_masks_secrets(sandbox_url: str) -> None:
    """Everything in effect is shown, and no secret."""
    status, output = finished("check-config", environment=against(sandbox_url, API_KEYS="web:fake-key-of-a-server"))

    assert status == 0
    assert "PERSONALIZE_SPACE_ID=sandbox\n" in output
    assert "PERSONALIZE_ACCESS_TOKEN=***\n" in output
    assert "PERSONALIZE_API_KEYS=web:***\n" in output
    assert "sandbox-token" not in output


def test_make_run_starts_everything() -> None:
    """`make run` is the command of the README, here on ports that are free."""
    with running(["make", "--silent", "run", "ARGS=--port 0 --sandbox-port 0"]) as run:
        service, sandbox = wait_for_urls(run, 2)

    assert service != sandbox
    assert "Ctrl-C stops both." in run.output


ENDLESS = """
from personalize import recipe

@recipe("endless", access="public")
def endless() -> int:
    while True:
        pass
"""


def test_an_endless_recipe_costs_only_itself(tmp_path: Path, client: httpx.Client, sandbox_url: str) -> None:
    """The others answer as before, and the service still ends when it is told to."""
    (tmp_path / "endless.py").write_text(ENDLESS)
    settings = against(sandbox_url, RECIPES=f"shipped,{tmp_path}", DEADLINE="200ms")
    with personalize("serve", "--port", "0", environment=settings) as run:
        [service] = wait_for_urls(run, 1)
        endless = [client.get(f"{service}/api/endless?user_id=ada") for _ in range(4)]
        posts = client.get(f"{service}/api/recommended-posts?user_id=ada")

    assert [answer.status_code for answer in endless] == [500] * 4
    assert endless[0].json()["code"] == "recipe_failed"
    assert posts.status_code == 200
    assert posts.json()["data"]
    assert run.process.returncode == 0


GREETING = """
from personalize import recipe


@recipe("greeting", access="public", template="greeting.html")
def greeting() -> str:
    return "{text}"
"""


@pytest.mark.parametrize("with_sandbox", [True, False])
def test_edited_recipes_are_served(
    client: httpx.Client, sandbox_url: str, tmp_path: Path, *, with_sandbox: bool
) -> None:
    """With `--reload`, in the same process: new text, new templates, new files; what is broken is told once."""
    (tmp_path / "greeting.html").write_text("<p>{{ data }}</p>")

    def edit(text: str) -> None:
        """Save as editors do: whole."""
        (tmp_path / "edited").write_text(text)
        (tmp_path / "edited").replace(tmp_path / "greeting.py")

    def told(path: str = "greeting", **headers: str) -> str:
        return client.get(f"{service}/api/{path}?user_id=ada", headers=headers).text

    edit(GREETING.format(text="Hello"))
    environment = {**(against(sandbox_url)), "PERSONALIZE_RECIPES": str(tmp_path)}
    options = ["--sandbox", "--sandbox-port", "0"] if with_sandbox else []
    with personalize("serve", "--port", "0", "--reload", *options, environment=environment) as run:
        [service, *_] = wait_for_urls(run, 1 + with_sandbox)
        assert "Hello" in told()
        edit(GREETING.format(text="Howdy"))
        wait_until(lambda: "Howdy" in told(), "an edit")
        edit("x = unknown\n")
        wait_until(lambda: "edit_refused" in run.output, "a word about a broken edit")
        assert "Howdy" in told()
        (tmp_path / "second.py").write_text(GREETING.replace("greeting", "second").format(text="Two"))
        (tmp_path / "second.html").write_text("<b>{{ data }}</b>")
        edit(GREETING.format(text="Hello"))
        wait_until(lambda: "Two" in told("second"), "a new file")
        (tmp_path / "second.html").write_text("<i>{{ data }}</i>")
        wait_until(lambda: told("second", Accept="text/html").startswith("<i>"), "an edited template")

    [refused] = [line for line in run.lines if "edit_refused" in line]
    assert f"{tmp_path}/greeting.py:1: NameError: name 'unknown' is not defined" in refused
    assert run.process.returncode == 0


def test_reloading_is_for_one_worker() -> None:
    """The other processes would go on with what they have."""
    status, output = finished("serve", "--reload", "--workers", "2", environment=against("http://127.0.0.1:8100"))

    assert status == 2
    assert "--reload is for one worker" in output
