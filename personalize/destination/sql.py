"""Rows of a query, through SQLAlchemy."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from personalize.destination.rows import Row
from personalize.errors import ConfigurationError, SyncError

ROWS_AT_ONCE = 1000
"""Rows that a database hands over at a time, and all that are held of it."""

AS_WRITTEN = {"no_parameters": True}
"""Lets drivers that write parameters with % take one for what it is."""


class Query:
    """An open query.

    Args:
        connection: to the database.
        text: the query, as its database has it; nothing in it is taken for a parameter.
    """

    def __init__(self, connection: sqlalchemy.Connection, text: str) -> None:
        self._connection = connection
        self._text = text.strip().rstrip(";")

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows.

        Raises:
            SyncError: the database did not take the query, or went away.
        """
        options = {**AS_WRITTEN, "stream_results": True, "yield_per": ROWS_AT_ONCE}
        try:
            with self._connection.exec_driver_sql(self._text, execution_options=options) as result:
                for row in result.mappings():
                    yield dict(row)
        except SQLAlchemyError as error:
            raise SyncError(f"The query failed: {_told(error)}") from None

    def count(self) -> int | None:
        """Return how many rows there are, as the database says."""
        try:
            asked = f"SELECT count(*) FROM ({self._text}) AS rows_of_query"  # noqa: S608 -- the operator's own query
            counted = self._connection.exec_driver_sql(asked, execution_options=AS_WRITTEN)
            return int(counted.scalar_one())
        except SQLAlchemyError:
            self._connection.rollback()
            return None


@contextmanager
def querying(url: str, text: str) -> Iterator[Query]:
    """Open a database for a query, and close it with the body.

    Raises:
        ConfigurationError: the URL is none, or its driver is not installed.
        SyncError: it cannot be reached.
    """
    try:
        engine = sqlalchemy.create_engine(url)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise ConfigurationError(f"PERSONALIZE_WAREHOUSE_URL: {_masked(str(error), url)}") from None
    except ValueError:  # whose message may quote a part of the password
        raise ConfigurationError("PERSONALIZE_WAREHOUSE_URL is no URL: its port has to be a number.") from None
    try:
        with engine.connect() as connection:
            yield Query(connection, text)
    except SQLAlchemyError as error:
        raise SyncError(f"The database cannot be read: {_told(error)}") from None
    finally:
        engine.dispose()


def _told(error: SQLAlchemyError) -> str:
    """Return what the database itself said, in one line; SQLAlchemy would quote the whole query."""
    said = str(getattr(error, "orig", None) or error)
    return " ".join(said.split())


def _masked(said: str, url: str) -> str:
    return " ".join(said.replace(url, "its URL").split())
