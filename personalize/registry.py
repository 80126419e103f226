"""Loading recipes: the shipped ones, files, folders, modules, and those of installed distributions.

A broken one stops the start and says where.
"""

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoint
from pathlib import Path
from types import CodeType, MappingProxyType, ModuleType
from typing import Any, TypeAlias

from personalize.declare import Recipe
from personalize.errors import RecipeLoadError, UnknownRecipe
from personalize.installed import brought

SHIPPED = "shipped"
"""The word that stands for the recipes that come with the service."""

GROUP = "personalize.recipes"
"""The group of the entry points by which a distribution brings recipes; each leads to a module, or to one recipe."""

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
                reason = f"recipe {recipe.name!r} is declared in {other.where} already: rename one of them"
                raise RecipeLoadError(recipe.where, reason)
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
    """Load recipes from the named sources, and those of installed distributions.

    Args:
        sources: each `shipped`, a file, a folder, or the dotted name of a module.

    Raises:
        RecipeLoadError: a source is not there, has no recipe, cannot be imported, or repeats a name.
    """
    places = {_path(source).resolve(): source for source in sources}  # `mine` and `./mine` are one
    executed = cache(_module_from)  # a file of a folder that is named as well is one, too
    named = [recipe for source in places.values() for recipe in _recipes_of(source, executed)]
    return Registry([*named, *_installed()])


def files_of(sources: Iterable[str]) -> Iterator[Path]:
    """Yield the files that sources stand for, a folder's one by one; none for a module, nor for what is not there."""
    for source in sources:
        path = _path(source)
        if path.is_dir():
            yield from sorted(file for file in path.glob("*.py") if holds_recipes(file.name))
        elif path.is_file():
            yield path


def modules_of(sources: Iterable[str]) -> Iterator[str]:
    """Yield the sources that are modules: Python imports each once, so that they are not loaded again."""
    return (source for source in sources if not _path(source).exists())


def holds_recipes(name: str) -> bool:
    """Whether a folder's file of that name may hold recipes: private modules and tests do not."""
    return not name.startswith(("_", "test_", "conftest"))


def shipped_folder() -> Path:
    """Return the folder of the shipped recipes: the wheel's own copy, else the checkout's `recipes/`."""
    packaged = _PACKAGE / SHIPPED
    return packaged if packaged.is_dir() else _PACKAGE.parent / "recipes"


def _path(source: str) -> Path:
    """Return the file or folder that a source stands for, if it is one."""
    return shipped_folder() if source == SHIPPED else Path(source)


def _recipes_of(source: str, executed: Callable[[Path], ModuleType]) -> list[AnyRecipe]:
    found = [recipe for module in _modules_of(source, executed) for recipe in _declared_in(module)]
    if not found:
        raise RecipeLoadError(source, "no function there is decorated with @recipe")
    return found


def _modules_of(source: str, executed: Callable[[Path], ModuleType]) -> Iterator[ModuleType]:
    files, path = list(files_of([source])), Path(source)
    if files or path.is_dir():
        yield from (executed(file.resolve()) for file in files)  # as tracebacks will name it
    elif "/" in source or path.suffix == ".py":
        raise RecipeLoadError(source, "there is no such file or folder")
    else:
        yield _module_named(source, missing="is neither a file, nor a folder, nor a module that can be found")


def _installed() -> Iterator[AnyRecipe]:
    for point in sorted(brought(GROUP)):
        yield from _brought_by(point)


def _brought_by(point: EntryPoint) -> list[AnyRecipe]:
    """Return the recipes of an entry point."""
    by = f"{point.dist.name} ({point.value})" if point.dist else point.value
    module = _module_named(point.module, missing=f"there is no such module, which {by} names")
    named = getattr(module, point.attr, None) if point.attr else None
    found = [named] if isinstance(named, Recipe) else [] if point.attr else _declared_in(module)
    if not found:
        raise RecipeLoadError(by, "no function there is decorated with @recipe")
    return found


def _module_from(file: Path) -> ModuleType:
    """Execute a file as a module of its own, so that a recipe needs neither a package nor an installation."""
    if file.suffix != ".py":
        raise RecipeLoadError(str(file), "a recipe's file is a Python module: name it *.py")
    name = f"personalize_recipe_{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    module = ModuleType(name)
    module.__file__ = str(file)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        _AsItIs(name, module.__file__).exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if before is not None:  # its recipes may go on serving
            sys.modules[name] = before
        raise _refusal(error, str(file)) from error
    return module


class _AsItIs(SourceFileLoader):
    """Compiles a file as it is now.

    Bytecode that is kept is told from its source by the second, and an edit may follow another sooner than that.
    """

    def get_code(self, _: str) -> CodeType:
        """Return the file's code; no bytecode is read, and none left behind in a folder that is not ours."""
        return _compiled(self.get_data(self.path), self.path)


@lru_cache(maxsize=128)
def _compiled(source: bytes, path: str) -> CodeType:
    """Return a file's code; where recipes are loaded again, most are as they were."""
    code: CodeType = compile(source, path, "exec", dont_inherit=True)
    return code


def _module_named(name: str, *, missing: str) -> ModuleType:
    """Import a module by its name; `missing` is what to say where there is none."""
    try:
        return importlib.import_module(name)
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            raise RecipeLoadError(name, missing) from None
        raise _refusal(error, _file_of(name)) from error


def _file_of(name: str) -> str:
    """Return the file of a module that cannot be imported, or of the package that keeps it from that; else its name."""
    package = name.rpartition(".")[0]
    if package and package not in sys.modules:
        return _file_of(package)
    spec = importlib.util.find_spec(name)
    return (spec and spec.origin) or name


def _declared_in(module: ModuleType) -> list[AnyRecipe]:
    """Return the recipes that a module or the modules of a package declare, leaving out others that it imports."""
    recipes = [value for value in vars(module).values() if isinstance(value, Recipe)]
    return [one for one in recipes if f"{one.function.__module__}.".startswith(f"{module.__name__}.")]


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
