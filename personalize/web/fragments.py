"""HTML fragments: a recipe's answer as markup, for server-side includes and content management systems."""

from collections.abc import Iterable
from pathlib import Path

import jinja2
import msgspec

from personalize.errors import RecipeFailed, RecipeLoadError
from personalize.registry import AnyRecipe


class Fragment:
    """A recipe's template. Everything that it shows is escaped, and links lead to http(s) only.

    Args:
        template: compiled; it is given `data`, the recipe's answer as JSON has it.
    """

    def __init__(self, template: jinja2.Template) -> None:
        self._template = template

    def render(self, data: msgspec.Raw | None) -> str:
        """Return an answer as markup; raise `RecipeFailed` where the template does not fit it.

        A template is a recipe's code as its function is, so that whatever it raises is caught.
        """
        try:
            return self._template.render(data=None if data is None else msgspec.json.decode(data))
        except Exception as error:
            raise RecipeFailed("raised") from error


class Fragments:
    """The templates of all recipes that declare one, compiled once.

    Raises:
        RecipeLoadError: a template is not one.
    """

    def __init__(self, recipes: Iterable[AnyRecipe]) -> None:
        environment = jinja2.Environment(
            autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters["link"] = link
        self._fragments = {
            one.name: Fragment(_compiled(environment, one.template, one.where))
            for one in recipes
            if one.template is not None
        }

    def of(self, recipe: AnyRecipe) -> Fragment | None:
        """Return a recipe's template, if it has one."""
        return self._fragments.get(recipe.name)


def link(url: object) -> str:
    """Return a URL that may stand in `href` or `src`: an http(s) one, else `#`."""
    return url if isinstance(url, str) and url.lower().startswith(("http://", "https://")) else "#"


def _compiled(environment: jinja2.Environment, path: Path, where: str) -> jinja2.Template:
    try:
        return environment.from_string(path.read_text(encoding="utf-8"))
    except jinja2.TemplateSyntaxError as error:
        raise RecipeLoadError(f"{path}:{error.lineno}", f"the template is not valid: {error.message}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeLoadError(where, f"the template {str(path)!r} cannot be read ({type(error).__name__})") from None
