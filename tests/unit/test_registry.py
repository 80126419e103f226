"""Loading recipes: from where, in which order, and how a broken one is told."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from personalize import recipe
from personalize.errors import RecipeLoadError, UnknownRecipe
from personalize.registry import GROUP, Registry, files_of, load, modules_of, shipped_folder
from tests.distributions import distribution

HEAD = "from personalize import recipe\n"


def declaring(*names: str) -> str:
    """Return the source of a file with recipes of these names, the first on its second line."""
    recipes = (f'@recipe("{name}")\ndef r{at}() -> str:\n    return ""\n' for at, name in enumerate(names))
    return HEAD + "".join(recipes)


def written(file: Path, text: str) -> str:
    """Write a file and return its path as a source."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return str(file)


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder from which modules are imported by name, and forgotten after the test."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in [name for name in set(sys.modules) - before if name.startswith("company_")]:
        del sys.modules[name]


def refusal_of(*sources: str) -> str:
    with pytest.raises(RecipeLoadError) as refused:
        load(sources)
    return str(refused.value)


class TestSources:
    def test_shipped_recipes_are_loaded_by_their_word(self) -> None:
        """From their folder, each under its own name."""
        loaded = load(["shipped"])
        assert {"recommended-posts", "last-viewed-not-purchased"} <= set(loaded)
        assert all(Path(one.where.rpartition(":")[0]).parent == shipped_folder() for one in loaded.values())

    def test_a_file_is_loaded(self, tmp_path: Path) -> None:
        """With all its recipes, in the order of their names."""
        assert list(load([written(tmp_path / "mine.py", declaring("zebra", "ant"))])) == ["ant", "zebra"]

    def test_a_folder_is_loaded(self, tmp_path: Path) -> None:
        """Each of its files, and not what lies deeper."""
        written(tmp_path / "one.py", declaring("one"))
        written(tmp_path / "two.py", declaring("two"))
        written(tmp_path / "deeper" / "three.py", declaring("three"))
        written(tmp_path / "README.md", "Not a recipe.")
        assert list(load([str(tmp_path)])) == ["one", "two"]

    @pytest.mark.parametrize("name", ["_private.py", "__init__.py", "test_one.py", "conftest.py"])
    def test_a_folders_private_files_and_tests_are_left_alone(self, tmp_path: Path, name: str) -> None:
        """They are not even executed."""
        written(tmp_path / "one.py", declaring("one"))
        written(tmp_path / name, "raise AssertionError")
        assert list(load([str(tmp_path)])) == ["one"]

    def test_a_private_file_that_is_named_itself_is_loaded(self, tmp_path: Path) -> None:
        """Whoever names it means it."""
        assert list(load([written(tmp_path / "_draft.py", declaring("draft"))])) == ["draft"]

    def test_a_relative_path_is_one_from_here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """With or without the dot."""
        written(tmp_path / "mine" / "one.py", declaring("one"))
        monkeypatch.chdir(tmp_path)
        assert [list(load([source])) for source in ("./mine", "mine", "mine/one.py", "./mine/one.py")] == [["one"]] * 4

    def test_a_file_that_is_named_beside_its_folder_is_loaded_once(self, tmp_path: Path) -> None:
        """It is no second recipe of that name."""
        file = written(tmp_path / "one.py", declaring("one"))
        for sources in ([str(tmp_path), file], [file, str(tmp_path)]):
            assert list(load(sources)) == ["one"]

    def test_a_module_is_loaded_by_its_name(self, importable: Path) -> None:
        """A dotted one too."""
        written(importable / "company_recipes" / "blog.py", declaring("blog"))
        written(importable / "company_shop.py", declaring("shop"))
        assert list(load(["company_recipes.blog", "company_shop"])) == ["blog", "shop"]

    def test_sources_add_up(self, tmp_path: Path) -> None:
        """The shipped ones and one's own."""
        assert set(load(["shipped", written(tmp_path / "mine.py", declaring("mine"))])) == {*load(["shipped"]), "mine"}

    def test_files_of_one_name_in_two_folders_do_not_meet(self, tmp_path: Path) -> None:
        """Each is a module of its own."""
        sources = [written(tmp_path / name / "recipes.py", declaring(name)) for name in ("a", "b")]
        loaded = load(sources)
        assert list(loaded) == ["a", "b"]
        assert loaded["a"].function.__module__ != loaded["b"].function.__module__

    def test_a_recipe_that_is_only_imported_is_not_loaded_again(self, importable: Path) -> None:
        """It belongs to the file that declares it."""
        written(importable / "company_shop.py", declaring("shop"))
        mine = written(importable / "mine.py", "from company_shop import r0 as shop\n" + declaring("mine"))
        assert list(load([mine])) == ["mine"]
        assert list(load([mine, "company_shop"])) == ["mine", "shop"]

    def test_a_recipe_with_two_names_in_its_file_is_one(self, tmp_path: Path) -> None:
        """An alias is no second recipe."""
        assert list(load([written(tmp_path / "mine.py", declaring("mine") + "alias = r0\n")])) == ["mine"]

    def test_no_sources_are_no_recipes(self) -> None:
        """Nothing is loaded that was not named."""
        assert dict(load([])) == {}


class TestRefusal:
    def test_two_recipes_of_one_name_are_refused_with_both_places(self, tmp_path: Path) -> None:
        """Neither silently wins."""
        first = written(tmp_path / "first.py", declaring("same"))
        second = written(tmp_path / "second.py", declaring("other", "same"))
        assert refusal_of(first, second) == (
            f"{second}:5: recipe 'same' is declared in {first}:2 already: rename one of them"
        )

    @pytest.mark.parametrize("text", ["", HEAD, "def mine() -> str:\n    return ''\n"])
    def test_a_file_without_recipes_is_refused(self, tmp_path: Path, text: str) -> None:
        """Somebody forgot the decorator."""
        source = written(tmp_path / "mine.py", text)
        assert refusal_of(source) == f"{source}: no function there is decorated with @recipe"

    def test_a_folder_without_recipes_is_refused(self, tmp_path: Path) -> None:
        """An empty one too."""
        assert refusal_of(str(tmp_path)) == f"{tmp_path}: no function there is decorated with @recipe"

    def test_a_syntax_error_is_told_with_its_line(self, tmp_path: Path) -> None:
        """As Python sees it."""
        source = written(tmp_path / "mine.py", HEAD + "\ndef mine(:\n")
        assert refusal_of(source) == f"{source}:3: SyntaxError: invalid syntax"

    def test_a_modules_syntax_error_is_told_with_file_and_line(self, importable: Path) -> None:
        """Though the module was named by its name."""
        source = written(importable / "company_shop.py", HEAD + "\ndef mine(:\n")
        assert refusal_of("company_shop") == f"{source}:3: SyntaxError: invalid syntax"

    def test_an_exception_at_import_is_told_with_its_line(self, tmp_path: Path) -> None:
        """The last line of the file that led to it."""
        source = written(tmp_path / "mine.py", HEAD + "\ndef broken():\n    return 1 / 0\n\nbroken()\n")
        assert refusal_of(source) == f"{source}:4: ZeroDivisionError: division by zero"

    def test_an_exception_in_another_file_blames_the_line_that_led_there(self, importable: Path) -> None:
        """It is the author's own line."""
        written(importable / "company_tools.py", "\n\n\nraise LookupError('no tools')\n")
        source = written(importable / "mine.py", "import company_tools\n")
        assert refusal_of(source) == f"{source}:1: LookupError: no tools"

    def test_a_modules_exception_is_told(self, importable: Path) -> None:
        """With the module's name."""
        written(importable / "company_shop.py", "raise LookupError('no shop')\n")
        refusal = refusal_of("company_shop")
        assert "company_shop" in refusal
        assert "LookupError: no shop" in refusal

    def test_a_missing_import_is_told_with_its_line(self, tmp_path: Path) -> None:
        """A dependency is not installed."""
        source = written(tmp_path / "mine.py", HEAD + "import no_such_tools\n")
        assert refusal_of(source) == f"{source}:2: ModuleNotFoundError: No module named 'no_such_tools'"

    @pytest.mark.parametrize("by_name", [False, True])
    def test_a_wrong_declaration_is_told_as_it_is(self, importable: Path, *, by_name: bool) -> None:
        """Its own file, line and reason, once."""
        source = written(importable / "company_shop.py", declaring("Bad"))
        reason = "a name is lowercase words joined by hyphens, like 'recommended-posts'"
        assert refusal_of("company_shop" if by_name else source) == f"{source}:2: recipe 'Bad': {reason}"

    def test_a_wrong_need_is_told_with_its_line(self, tmp_path: Path) -> None:
        """Though the annotation itself raises, before the decorator is asked."""
        source = written(
            tmp_path / "mine.py",
            "from typing import Annotated\nfrom personalize import Trait, recipe\n\n"
            "@recipe('mine')\ndef mine(city: Annotated[str, Trait('a,b')] = '') -> str:\n    return city\n",
        )
        assert refusal_of(source).startswith(f"{source}:5: ValueError: 'a,b' contains a comma")

    @pytest.mark.parametrize("source", ["./missing", "missing/", "missing.py", "missing/one.py"])
    def test_a_missing_path_is_refused(self, source: str) -> None:
        """It looks like a path, so it is told as one."""
        assert refusal_of(source) == f"{source}: there is no such file or folder"

    @pytest.mark.parametrize("source", ["no_such_module", "no_such.module"])
    def test_an_unknown_module_is_refused(self, source: str) -> None:
        """Whatever it was meant to be."""
        assert refusal_of(source).startswith(f"{source}: is neither a file, nor a folder, nor a module")

    def test_a_file_that_is_not_a_module_is_refused(self, tmp_path: Path) -> None:
        """Only Python is executed."""
        source = written(tmp_path / "recipes.txt", declaring("mine"))
        assert refusal_of(source) == f"{source}: a recipe's file is a Python module: name it *.py"


@recipe("ant")
def ant() -> str:
    """Return nothing much."""
    return ""


@recipe("bee")
def bee() -> str:
    """Return nothing much."""
    return ""


class TestRegistry:
    def test_a_registry_is_a_mapping_in_the_order_of_names(self) -> None:
        """Whatever the order of loading."""
        registry = Registry([bee, ant])
        assert list(registry.items()) == [("ant", ant), ("bee", bee)]
        assert len(registry) == 2

    def test_a_recipe_that_comes_twice_is_there_once(self) -> None:
        """It is no rival of itself."""
        assert list(Registry([ant, ant])) == ["ant"]

    def test_a_name_that_is_not_loaded_is_unknown(self) -> None:
        """The answer does not repeat what was asked."""
        with pytest.raises(UnknownRecipe) as unknown:
            Registry([ant]).find("<script>")
        assert str(unknown.value) == "There is no recipe of that name."

    def test_a_registry_is_a_mapping(self) -> None:
        """Asking whether there is a recipe is no error."""
        registry = Registry([ant])
        assert registry.find("ant") is registry["ant"]
        assert "bee" not in registry
        assert registry.get("bee") is None

    def test_a_registry_is_frozen(self) -> None:
        """Neither by its face nor by what it was made of."""
        recipes = [ant]
        registry = Registry(recipes)
        recipes.append(bee)
        assert list(registry) == ["ant"]
        assert not hasattr(registry, "__setitem__")


def test_a_relative_path_is_told_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The documented form, `./mine`."""
    written(tmp_path / "mine" / "a.py", "\n\nraise ValueError('x')")
    monkeypatch.chdir(tmp_path)
    assert refusal_of("./mine").endswith("a.py:3: ValueError: x")


def test_a_modules_exception_is_told_with_file_and_line(importable: Path) -> None:
    """Though it was named by its name."""
    source = written(importable / "company_films.py", "\nraise LookupError('no films')\n")
    assert refusal_of("company_films") == f"{source}:2: LookupError: no films"


def test_a_modules_missing_import_is_not_a_missing_module(importable: Path) -> None:
    """The sentence names what is not there."""
    source = written(importable / "company_books.py", "import no_such_tools\n")
    assert refusal_of("company_books") == f"{source}:1: ModuleNotFoundError: No module named 'no_such_tools'"


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    """Python names neither file nor line of it."""
    source = written(tmp_path / "mine.py", "\0")
    assert refusal_of(source).startswith(f"{source}: SyntaxError: ")


def test_a_file_that_exits_is_told_and_forgotten(tmp_path: Path) -> None:
    """It does not take the service with it, nor stay half imported."""
    source = written(tmp_path / "mine.py", "import sys\nsys.exit(3)\n")
    before = set(sys.modules)
    assert refusal_of(source) == f"{source}:2: SystemExit: 3"
    assert set(sys.modules) == before


def test_a_source_named_twice_is_loaded_once() -> None:
    """Saying a thing twice is no contradiction."""
    assert list(load(["shipped", "shipped", str(shipped_folder())])) == list(load(["shipped"]))


def test_a_folder_named_in_two_ways_is_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is where it is."""
    written(tmp_path / "mine" / "one.py", declaring("one"))
    monkeypatch.chdir(tmp_path)
    assert list(load(["mine", "./mine/", str(tmp_path / "mine")])) == ["one"]


def test_what_keeps_a_package_from_being_imported_is_told_with_its_place(importable: Path) -> None:
    """The package's own line, though one of its modules was named."""
    source = written(importable / "company_films" / "__init__.py", "\nraise LookupError('no films')\n")
    written(importable / "company_films" / "old" / "silent.py", declaring("silent"))
    assert refusal_of("company_films.old.silent") == f"{source}:2: LookupError: no films"


def test_a_package_has_the_recipes_of_its_modules(importable: Path) -> None:
    """Those that it imports from them, as packages do."""
    written(importable / "company_books" / "__init__.py", "from company_books.new import r0\n")
    written(importable / "company_books" / "new.py", declaring("new-books"))
    assert list(load(["company_books"])) == ["new-books"]


class TestEdits:
    def test_an_edit_counts_however_soon_it_comes(self, tmp_path: Path) -> None:
        """Within the second by which Python tells bytecode from its source, and of the same size; none is left."""
        for name in ("one", "two", "six"):
            assert list(load([written(tmp_path / "mine.py", declaring(name))])) == [name]
        assert [file.name for file in tmp_path.iterdir()] == ["mine.py"]

    def test_a_broken_edit_leaves_the_module_before_it(self, tmp_path: Path) -> None:
        """Its recipes go on serving, and may look for what else is in it."""
        source = written(tmp_path / "mine.py", declaring("mine"))
        module = sys.modules[load([source])["mine"].function.__module__]
        refusal_of(written(tmp_path / "mine.py", "x = unknown\n"))
        assert sys.modules[module.__name__] is module

    def test_the_files_that_may_be_edited_are_known(self, tmp_path: Path) -> None:
        """Those of folders one by one; modules are not edited under a running service."""
        one, two = (written(tmp_path / "mine" / name, "") for name in ("one.py", "two.py"))
        written(tmp_path / "mine" / "test_one.py", "")
        alone = written(tmp_path / "alone.py", "")
        sources = ["shipped", str(tmp_path / "mine"), alone, "company_shop", "./missing.py"]
        shipped = [*files_of(["shipped"])]
        assert shipped_folder() / "recommended_posts.py" in shipped
        assert [*files_of(sources)] == [*shipped, Path(one), Path(two), Path(alone)]


def bringing(folder: Path, points: dict[str, str], name: str = "company-recipes") -> None:
    """Install a distribution that brings recipes."""
    distribution(folder, name, GROUP, points)


class TestInstalled:
    def test_installed_recipes_are_loaded_whatever_is_named(self, importable: Path) -> None:
        """A module's, a package's, and one by itself."""
        written(importable / "company_blog.py", declaring("blog", "feed"))
        written(importable / "company_shop" / "__init__.py", "from company_shop.carts import r0 as cart\n")
        written(importable / "company_shop" / "carts.py", declaring("cart"))
        written(importable / "company_games.py", declaring("chess", "checkers"))
        bringing(importable, {"blog": "company_blog", "shop": "company_shop", "games": "company_games:r0"})
        assert list(load([])) == ["blog", "cart", "chess", "feed"]
        assert set(load(["shipped"])) == {*load([]), *load(["shipped"])}

    def test_what_is_named_and_installed_is_there_once(self, importable: Path) -> None:
        """It is no rival of itself."""
        written(importable / "company_blog.py", declaring("blog"))
        bringing(importable, {"blog": "company_blog"})
        assert list(load(["company_blog"])) == ["blog"]

    def test_an_installed_recipe_with_the_name_of_another_is_refused(self, importable: Path) -> None:
        """With both places."""
        brought = written(importable / "company_blog.py", declaring("same"))
        bringing(importable, {"blog": "company_blog"})
        mine = written(importable / "mine.py", declaring("same"))
        assert refusal_of(mine) == f"{brought}:2: recipe 'same' is declared in {mine}:2 already: rename one of them"

    @pytest.mark.parametrize(
        ("value", "refusal"),
        [
            ("company_none", "company_none: there is no such module, which company-recipes (company_none) names"),
            ("company_empty", "company-recipes (company_empty): no function there is decorated with @recipe"),
            ("company_blog:HEAD", "company-recipes (company_blog:HEAD): no function there is decorated with @recipe"),
            (
                "company_blog:nobody",
                "company-recipes (company_blog:nobody): no function there is decorated with @recipe",
            ),
            ("company_bad", "{folder}/company_bad.py:1: NameError: name 'unknown' is not defined"),
        ],
    )
    def test_what_brings_no_recipe_is_refused(self, importable: Path, value: str, refusal: str) -> None:
        """The sentence names the distribution, or the line that keeps it from loading."""
        written(importable / "company_blog.py", declaring("blog") + "HEAD = 1\n")
        written(importable / "company_empty.py", "")
        written(importable / "company_bad.py", "x = unknown\n")
        bringing(importable, {"blog": value})
        assert refusal_of() == refusal.format(folder=importable)


def test_modules_are_told_from_files(tmp_path: Path) -> None:
    """A file, a folder and the shipped recipes can be loaded again; a module cannot."""
    assert [*modules_of(["shipped", str(tmp_path), "own.module"])] == ["own.module"]
