"""The table in a document, between two marks, to be written anew by each run that is told to."""

from collections.abc import Iterable, Mapping

from tests.bench.rows import Row, markdown

BEGIN = "<!-- measured: make bench -->"
END = "<!-- /measured -->"


def measured(document: str, machine: Mapping[str, str], rows: Iterable[Row]) -> str:
    """Return a document with what was measured, and on what, between its marks.

    Raises:
        ValueError: the marks are not there.
    """
    before, began, rest = document.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not began or not ended:
        raise ValueError(f"there is no place between {BEGIN} and {END}")
    what = "Measured on {date}: {cores} cores, Python {python}, uvicorn {uvicorn}.".format_map(machine)
    return f"{before}{BEGIN}\n{what}\n\n{markdown(rows)}\n{END}{after}"
