"""What a terminal is shown: tables, and texts without what would steer it."""

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

import msgspec
from rich.table import Table
from rich.text import Text

UNSHOWN = {"Cc", "Cs", "Zl", "Zp"}
TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""Categories and directions of characters that do something to a terminal instead of being seen on it."""

Cell: TypeAlias = str | list[str]
"""What a table's cell says, in one line or several."""


def visible(text: str) -> str:
    """Return a text whose control characters are written as JSON escapes them: whoever tracks can send any."""
    return "".join(f"\\u{ord(letter):04x}" if _controls(letter) else letter for letter in text)


def json(value: object) -> str:
    """Return a value as indented JSON."""
    return _seen(msgspec.json.format(msgspec.json.encode(value), indent=2).decode().split("\n"))


def table(
    title: str | None, heads: Sequence[str], rows: Iterable[Sequence[Cell]], *, whole: Collection[str] = ()
) -> Table:
    """Return a table; columns of the `whole` heads are never broken."""
    shown = Table(title=title, title_justify="left", show_header=any(heads), expand=False)
    for head in heads:
        shown.add_column(head, overflow="fold", no_wrap=head in whole)
    for row in rows:
        cells = ([cell] if isinstance(cell, str) else cell for cell in row)
        shown.add_row(*(Text(_seen(lines)) for lines in cells))  # as text: a value may look like rich's markup
    return shown


def _seen(lines: Iterable[str]) -> str:
    return "\n".join(map(visible, lines))


def _controls(letter: str) -> bool:
    return unicodedata.category(letter) in UNSHOWN or unicodedata.bidirectional(letter) in TURNING
