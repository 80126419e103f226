"""The face: what recipes import, and that they import nothing else of ours."""

import ast
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import personalize
from personalize.registry import shipped_folder

PACKAGE = Path(personalize.__file__).parent


def imported(file: Path) -> Iterator[str]:
    """Yield the full name of every module that a file imports; a relative one begins with a dot."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def test_all_is_sorted() -> None:
    """A name is found, and added, in one place."""
    assert personalize.__all__ == sorted(set(personalize.__all__))


@pytest.mark.parametrize("name", personalize.__all__)
def test_what_is_exported_is_there_and_described(name: str) -> None:
    """A recipe's author finds it with `help`."""
    assert getattr(personalize, name).__doc__


def test_no_submodule_has_the_name_of_an_export() -> None:
    """Else importing the submodule would replace what `personalize` exports under that name."""
    submodules = {module.name for module in pkgutil.iter_modules(personalize.__path__)}
    assert submodules.isdisjoint(personalize.__all__)


def test_importing_the_submodules_leaves_the_exports_alone() -> None:
    """The face after the start is the face that recipes saw."""
    before = {name: getattr(personalize, name) for name in personalize.__all__}
    for module in ("declare", "engine", "model", "needs", "registry"):
        importlib.import_module(f"personalize.{module}")
    assert {name: getattr(personalize, name) for name in personalize.__all__} == before


@pytest.mark.parametrize("file", sorted(shipped_folder().glob("*.py")), ids=lambda file: file.stem)
def test_a_shipped_recipe_imports_the_face_alone(file: Path) -> None:
    """And the standard library: what it can do, anyone's recipe can do."""
    foreign = {
        name for name in imported(file) if name != "personalize" and name.split(".")[0] not in sys.stdlib_module_names
    }
    assert foreign == set()


def test_the_package_never_imports_the_recipes() -> None:
    """They are loaded like anyone else's."""
    assert [
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if any(name.split(".")[0] == "recipes" for name in imported(file))
    ] == []
