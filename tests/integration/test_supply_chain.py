"""What the shipped image is made of: locked, by hashes, and what is known of it."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests import audit

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.11", "3.12", "3.13")


def locked() -> Iterator[tuple[Requirement, int]]:
    """Yield every locked requirement, and how many hashes it has."""
    for told in re.split(r"\n(?=[a-z])", audit.LOCKED.read_text()):
        lines = [line for line in told.replace("\\\n", "\n").splitlines() if not line.lstrip().startswith("#")]
        yield Requirement(lines[0].strip()), sum("--hash=sha256:" in line for line in lines)


def test_everything_is_locked_by_its_hashes() -> None:
    """At one version each, whatever Python there is, and from wherever it comes."""
    for requirement, hashes in locked():
        assert hashes > 0, requirement
        assert [one.operator for one in requirement.specifier] == ["=="], requirement
    assert "://" not in audit.LOCKED.read_text()


@pytest.mark.parametrize("python", PYTHONS)
def test_what_is_locked_is_what_is_declared(python: str) -> None:
    """Each dependency, in a version that pyproject.toml allows."""
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    environment |= {"platform_system": "Linux", "implementation_name": "cpython", "platform_machine": "x86_64"}
    there = {
        one.name: next(iter(one.specifier)).version
        for one, _ in locked()
        if one.marker is None or one.marker.evaluate({**environment, "platform_python_implementation": "CPython"})
    }
    for told in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]:
        wanted = Requirement(told)
        assert wanted.specifier.contains(there[wanted.name.lower()]), told


def told_by_audit(monkeypatch: pytest.MonkeyPatch, stdout: str) -> int:
    """Return how an audit ends that is told this."""
    ran = subprocess.CompletedProcess([], 0, stdout=stdout, stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ran)
    return audit.main()


def test_a_known_vulnerability_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its name; what nobody knows anything about is told, and does not."""
    bad = '{"name": "a", "version": "1", "vulns": [{"id": "CVE-0000-0000"}]}'
    unknown = '{"name": "b", "skip_reason": "not found"}'
    assert told_by_audit(monkeypatch, f'{{"dependencies": [{bad}, {unknown}]}}') == 1
    assert "a 1: CVE-0000-0000 is known to be vulnerable" in capsys.readouterr().out
    assert told_by_audit(monkeypatch, f'{{"dependencies": [{unknown}]}}') == 0
    assert "nothing could be learnt about 1 of 1" in capsys.readouterr().out


def test_a_check_goes_on_where_nobody_can_be_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says so."""
    assert told_by_audit(monkeypatch, "") == 0
    assert "nobody could be asked" in capsys.readouterr().out
