"""HTML from templates, in which every value is escaped unless it is markup already."""

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from string import Template


class Markup(str):
    """HTML that is put into a page as it is."""

    __slots__ = ()


class Templates:
    """The templates in the folder beside this file, read once. In them, `$name` stands for a value."""

    def __init__(self) -> None:
        folder = files(__package__).joinpath("templates")
        self._templates = {
            file.name: Template(file.read_text(encoding="utf-8").strip()) for file in folder.iterdir() if file.is_file()
        }

    def render(self, name: str, /, **values: object) -> Markup:
        """Return a template, called by its file's name, filled with values.

        Raises:
            KeyError: there is no such template, or it names a value that is not given.
        """
        return Markup(self._templates[name].substitute({key: _safe(value) for key, value in values.items()}))


def joined(parts: Iterable[Markup]) -> Markup:
    """Return pieces of markup as one."""
    return Markup("\n".join(parts))


def _safe(value: object) -> str:
    return value if isinstance(value, Markup) else escape(str(value))
