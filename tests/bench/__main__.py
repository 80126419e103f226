"""`python -m tests.bench`: the service beside its limit and its alternatives, in one run, as ratios."""

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.bench import warm
from tests.bench.rows import Row, table


def main(
    seconds: Annotated[int, typer.Option(help="How long each turn is.")] = 5,
    rounds: Annotated[int, typer.Option(help="How many turns each has.")] = 5,
    out: Annotated[Path | None, typer.Option(help="A file for the rows as JSON.")] = None,
) -> None:
    """Measure the service, and end with 1 where it is not as good as it has to be."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for row in warm.rows(Path(folder), warm.Scale(seconds=seconds, warm_up=6 * seconds, rounds=rounds)):
            rows.append(row)
            Console().print(table([row]))
    Console().print(table(rows))
    if out:
        out.write_text(json.dumps([row.told for row in rows], indent=2))
    raise typer.Exit(0 if all(row.holds for row in rows) else 1)


if __name__ == "__main__":
    typer.run(main)
