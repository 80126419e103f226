"""The built wheel carries the shipped recipes and serves them from anywhere, beside those of other distributions."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import httpx
import pytest

from personalize.web.docs import FILES
from tests.documents import ROOT
from tests.processes import running, wait_for_urls


def build(folder: Path, source: Path = ROOT) -> Path:
    """Return a wheel built from the checkout, or from another project, without asking a registry."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel of the service."""
    return build(tmp_path_factory.mktemp("dist"))


def install(folder: Path, *wheels: Path) -> Path:
    """Return the Python of a new environment that has the wheels, and finds what they depend on in this one."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin/python"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", packages, *wheels],
        check=True,
        capture_output=True,
        timeout=120,
    )
    # A plain path in a .pth file: the packages of that folder, but not its own .pth files, and so not the checkout.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python


@pytest.mark.timeout(180)
def test_an_installed_wheel_serves_the_shipped_recipes(client: httpx.Client, wheel: Path, tmp_path: Path) -> None:
    """Built, installed into an environment of its own and run from another folder, it answers."""
    python = install(tmp_path / "venv", wheel)
    where = subprocess.run(
        [python, "-c", "import personalize; print(personalize.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    command = [str(python), "-m", "personalize", "serve", "--sandbox", "--port", "0", "--sandbox-port", "0"]
    with running(command, folder=tmp_path) as run:
        service, _ = wait_for_urls(run, 2)
        answer = client.get(f"{service}/api/recommended-posts?user_id=ada").json()
        pages = [client.get(f"{service}/{path}").status_code for path in ("docs", *(f"docs/{name}" for name in FILES))]

    assert where.startswith(str(tmp_path))
    assert answer["personalized"] is True
    assert len(answer["data"]) == 5
    assert pages == [200] * 5


PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "tea-recipes"
version = "1.0"

[project.entry-points."personalize.recipes"]
tea = "tea_recipes"
"""
RECIPE = """
from personalize import recipe


@recipe("tea-time", access="public")
def tea_time() -> str:
    return "four o'clock"
"""


def test_recipes_of_another_distribution_are_found(client: httpx.Client, wheel: Path, tmp_path: Path) -> None:
    """Built and installed beside the service, it is served through its entry point; no setting names it."""
    project = tmp_path / "project"
    (project / "tea_recipes").mkdir(parents=True)
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "tea_recipes" / "__init__.py").write_text(RECIPE)
    python = install(tmp_path / "venv", wheel, build(tmp_path / "tea", project))
    command = [str(python), "-m", "personalize", "serve", "--sandbox", "--port", "0", "--sandbox-port", "0"]
    with running(command, folder=tmp_path) as run:
        service, _ = wait_for_urls(run, 2)
        answers = [client.get(f"{service}/api/{name}?user_id=ada") for name in ("tea-time", "recommended-posts")]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["data"] == "four o'clock"
