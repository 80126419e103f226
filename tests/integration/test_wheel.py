"""The built wheel carries the shipped recipes and serves them from anywhere."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import httpx

from tests.documents import ROOT
from tests.processes import running, wait_for_urls


def build(folder: Path) -> Path:
    """Return a wheel built from the checkout, without asking a registry."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    [wheel] = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """Return the Python of a new environment that has the wheel, and finds what it depends on in this one."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin/python"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", packages, wheel],
        check=True,
        capture_output=True,
        timeout=120,
    )
    # A plain path in a .pth file: the packages of that folder, but not its own .pth files, and so not the checkout.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python


def test_an_installed_wheel_serves_the_shipped_recipes(client: httpx.Client, tmp_path: Path) -> None:
    """Built, installed into an environment of its own and run from another folder, it answers."""
    python = install(build(tmp_path / "dist"), tmp_path / "venv")
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

    assert where.startswith(str(tmp_path))
    assert answer["personalized"] is True
    assert len(answer["data"]) == 5
