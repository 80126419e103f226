"""What is installed: looked through once, and again when something changes there."""

import os
import sys
from importlib import metadata
from pathlib import Path

import pytest

from personalize import installed
from tests.distributions import distribution

GROUP = "personalize.recipes"


def test_the_version_is_the_distributions() -> None:
    """As pip shows it."""
    assert installed.version() == metadata.version("personalize")


def test_what_is_installed_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a place that was looked through before, and in a new one; other groups are other things."""
    monkeypatch.syspath_prepend(tmp_path)
    os.utime(tmp_path, ns=(0, 0))  # a while ago, however seldom the file system's clock ticks
    assert [one.name for one in installed.brought(GROUP)] == []
    distribution(tmp_path, "our-films", GROUP, {"films": "films"})
    assert [one.value for one in installed.brought(GROUP)] == ["films"]
    assert [one.name for one in installed.brought("personalize.providers")] == []
    monkeypatch.setattr(sys, "path", sys.path[1:])
    assert [one.name for one in installed.brought(GROUP)] == []


def test_distributions_are_looked_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as nothing changes: what was found is found again, and not made anew."""
    monkeypatch.syspath_prepend(tmp_path)
    distribution(tmp_path, "our-films", GROUP, {"films": "films"})
    [first], [second] = installed.brought(GROUP), installed.brought(GROUP)
    assert first is second
