"""Where in a TOML file something is said: its parser tells that of syntax errors alone."""

import re
from collections.abc import Sequence

_TABLE = re.compile(r"^\s*\[(\[?)\s*([^\]]+?)\s*\]?\]\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*(?:\"([^\"]+)\"|'([^']+)'|([\w.-]+))\s*=")

Place = Sequence[str | int]
"""Names of tables and members, and numbers of tables in a list: `("mappings", 0, "action")`."""


class Lines:
    """The lines of a TOML file by what is said on them.

    Args:
        text: of the file.
    """

    def __init__(self, text: str) -> None:
        self._found: dict[tuple[str | int, ...], int] = {}
        counts: dict[str, int] = {}
        table: tuple[str | int, ...] = ()
        for number, line in enumerate(text.splitlines(), 1):
            if match := _TABLE.match(line):
                names = [name.strip(" \"'") for name in match[2].split(".")]
                if match[1]:
                    counts[names[0]] = counts.get(names[0], -1) + 1
                first: tuple[str | int, ...] = (names[0], counts[names[0]]) if names[0] in counts else (names[0],)
                table = (*first, *names[1:])
                self._found.setdefault(table, number)
            elif match := _KEY.match(line):
                name = match[1] or match[2] or match[3]
                self._found.setdefault((*table, *name.split(".")), number)

    def at(self, place: Place) -> int:
        """Return the line of a place, or of what is around it."""
        told = tuple(place)
        while told and told not in self._found:
            told = told[:-1]
        return self._found.get(told, 1)
