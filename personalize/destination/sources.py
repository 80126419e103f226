"""Where rows come from: a query of a database, or a file. Either is read as it goes, never whole."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from personalize.destination.mappings import Model
from personalize.destination.rows import Row, Unreadable
from personalize.errors import ConfigurationError

MISSING = "{what} needs more than the service has: install it with pip install 'personalize[sync]'."


class Rows(Protocol):
    """An open source."""

    def __iter__(self) -> Iterator[Row | Unreadable]:
        """Yield each row by its columns' names, in the source's order, and what is none."""

    def count(self) -> int | None:
        """Return how many there are, where that can be told before they are read."""


def opened(model: Model, warehouse: str | None) -> AbstractContextManager[Rows]:
    """Open a model's source.

    Args:
        model: what is read.
        warehouse: the URL of the database that queries without one of their own are for, as SQLAlchemy has it.

    Raises:
        ConfigurationError: what that needs is not installed, or no database is named.
        SyncError: it cannot be opened.
    """
    if model.file is not None:
        try:
            from personalize.destination import files  # noqa: PLC0415 -- an extra
        except ImportError:
            raise ConfigurationError(MISSING.format(what=f"The file {model.file}")) from None
        return files.reading(model.file)
    if warehouse is None:
        raise ConfigurationError(
            f"The model `{model.name}` is a query, and PERSONALIZE_WAREHOUSE_URL says no database: set it, such as "
            "postgresql+psycopg://user:password@db.example.com/warehouse."
        )
    try:
        from personalize.destination import sql  # noqa: PLC0415 -- an extra
    except ImportError:
        raise ConfigurationError(MISSING.format(what="A database")) from None
    return sql.querying(warehouse, model.query or "")
