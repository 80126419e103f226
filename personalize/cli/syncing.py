"""`personalize sync init`, `check` and `run`: rows into profiles."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from personalize import sandbox
from personalize.cli import terminal
from personalize.cli.listing import without_space
from personalize.destination import mappings, sources
from personalize.destination.mappings import Destination, Model
from personalize.destination.rejects import Rejects, writing
from personalize.destination.run import Run, Summary, Way
from personalize.destination.state import State, opened
from personalize.destination.tracking import REGION, Pace, TrackingApi
from personalize.errors import ConfigurationError, SyncError
from personalize.settings import Settings

STARTER = resources.files("personalize.destination") / "starter.toml"

STOPPED = 1
REJECTED = 3
"""Exit statuses; a wrong file of mappings ends with 2, as all that is configured wrongly."""

SHOWN = 10
"""Calls that a dry run shows where nobody says how many."""


def init(file: Path) -> None:
    """Write a file of mappings to begin with, in which everything is explained."""
    try:
        with file.open("x", encoding="utf-8") as made:
            made.write(STARTER.read_text(encoding="utf-8"))
    except FileExistsError:
        raise ConfigurationError(f"{file} exists already: it stays as it is.") from None
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}.") from None
    typer.echo(f"Wrote {file}. Change it, then try: personalize sync check {file}")


def check(file: Path) -> None:
    """Look at a file of mappings, and say all that is wrong with it, each with its line."""
    destination = mappings.read(file)
    heads = ("mapping", "action", "model", "rows from")
    rows = [
        (one.name, one.action.title, one.model, _whence(destination.models[one.model])) for one in destination.mappings
    ]
    Console().print(terminal.table(destination.name, heads, rows, whole=heads[:2]))
    others = f", {destination.disabled} not enabled" if destination.disabled else ""
    typer.echo(f"{file} is fine: {_counted(len(rows), 'mapping')}{others}, for {destination.url}.")


def run(
    file: Path,
    *,
    dry_run: bool,
    limit: int | None,
    state: Path | None,
    rejects: Path | None,
    rate: float,
    with_sandbox: bool,
) -> None:
    """Send what is new or changed, and report what became of it; the exit status says the same."""
    destination, loaded, console = mappings.read(file), without_space(), Console(stderr=True)
    state_path = None if dry_run else state or file.with_suffix(".state")
    rejects_path = None if dry_run else rejects or file.with_suffix(".rejects.jsonl")
    limit = limit or (SHOWN if dry_run else None)
    stopped: SyncError | None = None
    refused = Rejects(None)
    with ExitStack() as stack:
        progress = stack.enter_context(_progress(console))
        if dry_run:
            way = _shown_way(destination)
        else:
            client = stack.enter_context(httpx.Client())
            way = _real_way(destination, loaded, client, rate, progress.say, with_sandbox=with_sandbox)
        try:
            # The state first: while another run has it, the file of rejects is that run's.
            with opened(state_path) as known, writing(rejects_path) as refused:
                summary = _run(destination, loaded, way, known, refused, limit, progress)
        except SyncError as error:
            stopped, summary = error, progress.summary
    _report(summary, refused, console, dry_run=dry_run)
    if stopped is not None:
        console.print(str(stopped), style="bold red", highlight=False, markup=False)
        raise typer.Exit(STOPPED)
    if refused.count:
        raise typer.Exit(REJECTED)


def _run(
    destination: Destination,
    loaded: Settings,
    way: Way,
    known: State,
    refused: Rejects,
    limit: int | None,
    progress: "_Progress",
) -> Summary:
    running = Run(destination, way, known, refused, limit=limit, progressed=progress.advance)
    progress.summary = running.summary
    warehouse = loaded.warehouse_url.get_secret_value() if loaded.warehouse_url else None
    for model in destination.models.values():
        if any(one.model == model.name for one in destination.mappings):
            with sources.opened(model, warehouse) as rows:
                progress.begin(model.name, _least(rows.count() if progress.is_seen else None, limit))
                running.take(model, rows)
    return running.summary


def _least(count: int | None, limit: int | None) -> int | None:
    return count if limit is None else limit if count is None else min(count, limit)


def _shown_way(destination: Destination) -> Way:
    def show(_: str, calls: list[bytes]) -> None:
        for call in calls:
            typer.echo(call.decode())

    return Way(show, "dry-run", destination.url)


def _real_way(
    destination: Destination,
    loaded: Settings,
    client: httpx.Client,
    rate: float,
    told: Callable[[str], None],
    *,
    with_sandbox: bool,
) -> Way:
    write_key = loaded.write_key.get_secret_value() if loaded.write_key else None
    url = f"{loaded.tracking_api_url}/v1" if loaded.tracking_api_url else destination.url
    if with_sandbox:
        write_key, url = sandbox.WRITE_KEY, f"{sandbox.DEFAULT_URL}/v1"
    if write_key is None and not all(one.names_space for one in destination.mappings):
        raise ConfigurationError(
            "PERSONALIZE_WRITE_KEY is not set: it is the write key of the Profile space's source, by which Segment "
            "knows whose profiles are meant."
        )
    return Way(TrackingApi(url, client, rate=rate, pace=Pace(), told=told).send, write_key, url)


def _whence(model: Model) -> str:
    if model.file is None:
        return " ".join((model.query or "").split())
    return str(model.file) if model.file.exists() else f"{model.file}, which is not there yet"


def _report(summary: Summary, refused: Rejects, console: Console, *, dry_run: bool) -> None:
    """Say what became of the rows, by outcome."""
    words = {"sent": "to send"} if dry_run else {}
    counts = [f"{count:,} {words.get(outcome, outcome)}" for outcome, count in sorted(summary.outcomes.items())]
    console.print(f"{_counted(summary.rows, 'row')}: {', '.join(counts) or 'nothing to send'}.", highlight=False)
    if refused.count and refused.path:
        console.print(f"The rejected rows are in {refused.path}, each with its reason.", highlight=False)
    if refused.count and not refused.path:
        for reason in refused.reasons:
            console.print(f"  {reason}", highlight=False, markup=False)
    if summary.outcomes["sent"] and not dry_run:
        console.print(f"If profiles do not change: {REGION}", highlight=False, style="dim")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


class _Progress:
    """What a person sees of a run: a bar on a terminal, and nothing elsewhere."""

    def __init__(self, bar: Progress, console: Console) -> None:
        self._bar = bar
        self._console = console
        self._task = bar.add_task("", total=None, visible=False)
        self.is_seen = console.is_terminal
        self.summary = Summary()

    def begin(self, name: str, total: int | None) -> None:
        """Begin with a model."""
        self._bar.update(self._task, visible=False)
        self._task = self._bar.add_task(terminal.visible(name), total=total)

    def advance(self) -> None:
        """Count one row."""
        if self.is_seen:
            self._bar.advance(self._task)

    def say(self, sentence: str) -> None:
        """Tell why nothing happens for a while."""
        self._console.print(sentence, highlight=False)


@contextmanager
def _progress(console: Console) -> Iterator[_Progress]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        yield _Progress(bar, console)
