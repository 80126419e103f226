"""What libraries, and recipes, log by Python's own `logging`: told as an event of ours."""

import logging

from personalize.telemetry import logs


def listen() -> None:
    """Tell from now on of all warnings that nobody else takes; else they are printed, with all that they quote."""
    root = logging.getLogger()
    if not any(isinstance(one, _Libraries) for one in root.handlers):
        root.addHandler(_Libraries(logging.WARNING))


class _Libraries(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Tell of a record, but not its message."""
        error = record.exc_info[1] if record.exc_info else None
        where = f"{record.pathname}:{record.lineno} {record.funcName}"
        logs.library_said(record.name, record.levelname, where, error)
