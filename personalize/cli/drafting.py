"""`personalize recipes new`: a recipe that works, and its test, to be changed into one's own."""

import builtins
import keyword
import shlex
import sys
from pathlib import Path
from string import Template

import typer

from personalize.cli.demonstration import VISITOR
from personalize.cli.listing import without_space
from personalize.declare import NAME, RESERVED_NAMES
from personalize.errors import ConfigurationError
from personalize.registry import SHIPPED, holds_recipes, load, shipped_folder

RECIPE = Template('''\
"""What the visitor was looking at: a start for a recipe of your own."""

from typing import Annotated

from personalize import Event, Events, Param, Trait, recipe


@recipe("$name", access="verified")
def $function(
    views: Annotated[tuple[Event, ...], Events("Product Viewed", limit=20)] = (),
    category: Annotated[str | None, Trait("favorite_blog_category")] = None,
    limit: Annotated[int, Param(ge=1, le=10)] = 3,
) -> dict[str, list[str] | str | None]:
    """Return the names of the products viewed last, and the category that is read most."""
    names = [name for view in views if (name := view.text("name"))]
    return {"products": names[:limit], "category": category}
''')

TEST = Template('''\
"""What the visitor was looking at."""

from personalize.testing import event, recipes_beside, run, visitor

$function = recipes_beside(__file__)["$name"]


def test_products_are_those_viewed_last() -> None:
    """Newest first, and as many as the page wants."""
    mug, pan = event("Product Viewed", name="Mug", days_ago=2), event("Product Viewed", name="Pan", days_ago=1)
    outcome = run($function, visitor(mug, pan, favorite_blog_category="Tea"), params={"limit": 1})
    assert outcome.data == {"products": ["Pan"], "category": "Tea"}
    assert outcome.personalized


def test_who_is_not_known_gets_the_defaults() -> None:
    """And so does everybody while Segment is away."""
    outcome = run($function)
    assert outcome.data == {"products": [], "category": None}
    assert not outcome.personalized
''')

SETTINGS = (
    "# So that pytest asks for no more than a recipe's test needs: the checkout's own settings are for its own tests.\n"
)
"""pytest's, of a folder in a checkout."""

IMPORTED = {"event", "recipe", "run", "visitor"}
"""Names that the two files import, and that a recipe could have."""

_OURS = 'name = "personalize"'
"""The line by which a checkout's `pyproject.toml` is told from another project's."""

NEXT = Template("""\
Wrote $recipe and $test.

Test it   $python -m pytest $tested
Serve it  $setting$command serve --sandbox --reload
Ask it    curl 'http://127.0.0.1:8000/api/$name?$visitor'
Look      $setting$command recipes run $name --user-id ada --sandbox

Then change it: what you save is served at once.
""")


def draft(name: str, folder: Path) -> None:
    """Write a recipe and its test into a folder, and say what to do next."""
    _check(name)
    words = {"name": name, "function": _function(name)}
    module = name.replace("-", "_")
    recipe, test = folder / f"{module}.py", folder / f"test_{module}.py"
    setting = _setting(folder)
    for file in (recipe, test):
        if file.exists():
            raise ConfigurationError(f"{file} is there already: choose another name, or another --folder.")
    folder.mkdir(parents=True, exist_ok=True)
    recipe.write_text(RECIPE.substitute(words), encoding="utf-8")
    test.write_text(TEST.substitute(words), encoding="utf-8")
    _settle(folder)
    told = {"recipe": recipe, "test": test, "tested": shlex.quote(str(test)), "visitor": VISITOR}
    programs = {"setting": setting, "python": _here("python"), "command": _here("personalize")}
    typer.echo(NEXT.substitute(told, name=name, **programs), nl=False)


def _check(name: str) -> None:
    """Refuse a name under which no recipe could be served."""
    if not NAME.fullmatch(name):
        raise typer.BadParameter(f"{name!r} is no name: write lowercase words joined by hyphens, like recently-seen.")
    if name in RESERVED_NAMES or not holds_recipes(f"{name.replace('-', '_')}.py"):
        raise typer.BadParameter(f"{name!r} means something else to the service or to pytest: choose another.")
    if name in load([SHIPPED]):
        raise typer.BadParameter(f"{name!r} is the name of a recipe that is there already: choose another.")


def _function(name: str) -> str:
    """Return a name for the function that hides nothing which it uses."""
    function = name.replace("-", "_")
    hides = keyword.iskeyword(function) or hasattr(builtins, function) or function in IMPORTED
    return f"{function}_" if hides else function


def _settle(folder: Path) -> None:
    """Keep the settings of a checkout's own tests from a folder in it: they ask for plugins that nobody else has."""
    projects = (above / "pyproject.toml" for above in folder.resolve().parents)
    nearest = next((one for one in projects if one.is_file()), None)
    ours = nearest is not None and _OURS in nearest.read_text(encoding="utf-8").splitlines()
    if ours and not (settings := folder / "pytest.ini").exists():
        settings.write_text(SETTINGS, encoding="utf-8")


def _setting(folder: Path) -> str:
    """Return the setting without which the folder's recipes are not served, to stand before a command."""
    sources = without_space().recipes
    there = {shipped_folder() if source == SHIPPED else Path(source).resolve() for source in sources}
    if folder.resolve() in there:
        return ""
    named = str(folder) if folder.is_absolute() else f"./{folder}"
    return f"PERSONALIZE_RECIPES={shlex.quote(','.join([*sources, named]))} "


def _here(program: str) -> str:
    """Return how a program of this environment is called from here."""
    path = Path(sys.executable).with_name(program)
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))
