"""Loading recipes: from the shipped ones, files, folders or modules. A broken one stops the start and says where."""

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, TypeAlias

from personalize.declare import Recipe
from personalize.errors import RecipeLoadError, UnknownRecipe

SHIPPED = "shipped"
"""The word that stands for the recipes that come with the service."""

AnyRecipe: TypeAlias = Recipe[..., Any]

_PACKAGE = Path(__file__).parent


class Registry(Mapping[str, AnyRecipe]):
    """The loaded recipes by name, in the order of their names.

    Raises:
        RecipeLoadError: two recipes have one name.
    """

    def __init__(self, recipes: Iterable[AnyRecipe]) -> None:
        by_name: dict[str, AnyRecipe] = {}
        for recipe in recipes:
            other = by_name.setdefault(recipe.name, recipe)
            if other is not recipe:
                raise RecipeLoadError(recipe.where, f"recipe {recipe.name!r} is declared in {other.where} already")
        self._recipes = MappingProxyType(dict(sorted(by_name.items())))

    def __getitem__(self, name: str) -> AnyRecipe:
        return self._recipes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._recipes)

    def __len__(self) -> int:
        return len(self._recipes)

    def find(self, name: str) -> AnyRecipe:
        """Return a recipe for a caller; raise `UnknownRecipe` where there is none of that name."""
        recipe = self._recipes.get(name)
        if recipe is None:
            raise UnknownRecipe("There is no recipe of that name.")
        return recipe


def load(sources: Sequence[str]) -> Registry:
    """Load recipes from the named sources.

    Args:
        sources: each `shipped`, a file, a folder, or the dotted name of a module.

    Raises:
        RecipeLoadError: a source is not there, has no recipe, cannot be imported, or repeats a name.
    """
    return Registry(recipe for source in dict.fromkeys(sources) for recipe in _recipes_of(source))


def shipped_folder() -> Path:
    """Return the folder of the shipped recipes: the wheel's own copy, else the checkout's `recipes/`."""
    packaged = _PACKAGE / SHIPPED
    return packaged if packaged.is_dir() else _PACKAGE.parent / "recipes"


def _recipes_of(source: str) -> list[AnyRecipe]:
    found = [recipe for module in _modules_of(source) for recipe in _declared_in(module)]
    if not found:
        raise RecipeLoadError(source, "no function there is decorated with @recipe")
    return found


def _modules_of(source: str) -> Iterator[ModuleType]:
    path = shipped_folder() if source == SHIPPED else Path(source)
    if path.is_dir():
        yield from (_module_from(file) for file in sorted(path.glob("*.py")) if _holds_recipes(file))
    elif path.is_file():
        yield _module_from(path)
    elif "/" in source or path.suffix == ".py":
        raise RecipeLoadError(source, "there is no such file or folder")
    else:
        yield _module_named(source)


def _holds_recipes(file: Path) -> bool:
    """Leave out a folder's private modules and its tests."""
    return not file.name.startswith(("_", "test_", "conftest"))


def _module_from(file: Path) -> ModuleType:
    """Execute a file as a module of its own, so that a recipe needs neither a package nor an installation."""
    file = file.resolve()  # as tracebacks will name it
    digest = hashlib.sha256(str(file).encode()).hexdigest()[:8]
    spec = importlib.util.spec_from_file_location(f"personalize_recipe_{file.stem}_{digest}", file)
    if spec is None or spec.loader is None:
        raise RecipeLoadError(str(file), "a recipe's file is a Python module: name it *.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[spec.name]
        raise _refusal(error, str(file)) from error
    return module


def _module_named(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            raise RecipeLoadError(name, "is neither a file, nor a folder, nor a module that can be found") from None
        spec = importlib.util.find_spec(name)
        raise _refusal(error, (spec and spec.origin) or name) from error


def _declared_in(module: ModuleType) -> list[AnyRecipe]:
    """Return the recipes that a module declares, leaving out those that it only imports."""
    recipes = [value for value in vars(module).values() if isinstance(value, Recipe)]
    return [recipe for recipe in recipes if recipe.function.__module__ == module.__name__]


def _refusal(error: BaseException, file: str) -> BaseException:
    """Return what to raise when executing a recipe's module failed.

    This is a boundary to foreign code: whatever that raises, its own exit included, is told as one plain sentence; only
    our own sentences and the user's Ctrl-C pass as they are.
    """
    if isinstance(error, RecipeLoadError) or not isinstance(error, Exception | SystemExit):
        return error
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return RecipeLoadError(_blamed(error, file), f"{type(error).__name__}: {message}")


def _blamed(error: BaseException, file: str) -> str:
    """Return file and line of an exception, as near to the recipe as the traceback tells."""
    if isinstance(error, SyntaxError):
        return f"{error.filename or file}:{error.lineno}" if error.lineno else file
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"{file}:{lines[-1]}" if lines else file
