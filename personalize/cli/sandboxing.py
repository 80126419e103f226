"""`personalize sandbox`: the stand-in for Segment alone."""

import os
import sqlite3
from collections.abc import Iterator
from typing import BinaryIO

import typer
from rich.progress import wrap_file

from personalize import listening
from personalize.errors import ConfigurationError
from personalize.sandbox.app import create_sandbox
from personalize.telemetry import libraries, logs


def serve(  # noqa: PLR0913 -- what the command is told
    host: str,
    port: int,
    *,
    service_url: str,
    database: str,
    seed: BinaryIO | None,
    rate_limit: float,
    webhook_url: str | None,
    webhook_secret: str | None,
) -> None:
    """Answer in Segment's place until told to stop; the arguments are those of `create_sandbox`."""
    logs.configure("console")
    libraries.listen()
    with listening.bind(host, port) as listener:
        url = listening.url(host, listener)
        try:
            stand_in = create_sandbox(
                base_url=url,
                service_url=service_url,
                database=database,
                history=_shown(seed) if seed else (),
                rate_limit=rate_limit,
                webhook_url=webhook_url,
                webhook_secret=webhook_secret,
            )
        except (ValueError, sqlite3.Error) as error:
            raise ConfigurationError(f"The sandbox cannot start: {error}") from None
        typer.echo(f"The sandbox listens on {url} (Ctrl-C stops it).")
        listening.run(stand_in, listener, leave=stand_in.state.leave)


def _shown(file: BinaryIO) -> Iterator[bytes]:
    """Yield a file's lines, and show on the terminal how far it is read."""
    with wrap_file(file, total=os.fstat(file.fileno()).st_size, description="Seeding", transient=True) as lines:
        yield from lines
