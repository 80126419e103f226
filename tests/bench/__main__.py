"""`python -m tests.bench`: the service beside its limits and its alternatives, in one run, as ratios."""

import json
import os
import platform
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.bench import cold, day, document, growth, memory, pooled, shared, start, warm
from tests.bench.rows import Row, table
from tests.bench.scale import QUICK, Scale


def rows(folder: Path, scale: Scale) -> Iterator[Row]:
    """Yield every row, as soon as it is measured."""
    yield from warm.rows(folder, scale)
    yield from warm.page(folder, scale)
    yield from shared.rows(folder, scale)
    yield from cold.rows(folder, scale)
    yield from day.rows(scale)
    yield from pooled.rows(scale)
    yield from growth.rows(folder, scale)
    yield from start.rows(folder, scale)
    yield from memory.rows(scale)


def machine() -> dict[str, str]:
    """Return what was measured on, and when."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "personalize": version("personalize"),
        "uvicorn": version("uvicorn"),
        "cores": str(os.cpu_count()),
    }


def main(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Only see whether everything runs.")] = False,
    out: Annotated[Path, typer.Option(help="A file for the table as JSON.")] = Path("artefacts/bench.json"),
    told: Annotated[
        Path | None, typer.Option("--markdown", help="A document that gets the table, between its two marks.")
    ] = None,
) -> None:
    """Measure the service, and end with 1 where it is not as good as it has to be."""
    console = Console(width=150)
    console.print(" ".join(f"{name} {value}" for name, value in machine().items()))
    done: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, console.status("Measuring; this takes minutes") as status:
        for row in rows(Path(folder), QUICK if quick else Scale()):
            done.append(row)
            status.update(f"Measured {len(done)}: {row.work}, beside {row.beside}")
    console.print(table(done))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"machine": machine(), "rows": [row.told for row in done]}, indent=2))
    if told:
        told.write_text(document.measured(told.read_text(), machine(), done))
    raise typer.Exit(0 if quick or all(row.holds for row in done) else 1)


if __name__ == "__main__":
    typer.run(main)
