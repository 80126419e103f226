"""The access token: a secret that may be replaced while the service runs."""

import asyncio
from base64 import b64encode
from concurrent.futures import Future
from pathlib import Path
from threading import Thread

READ_SECONDS = 1.0
"""What reading the file may take: a volume of the network may hang."""

LARGEST = 4096
"""Bytes; what is larger is no token."""


class AccessToken:
    """The token, and the file it came from, if there is one. It shows its value to nobody but as a credential.

    Args:
        value: the token.
        path: where to look for another one.
    """

    def __init__(self, value: str, path: Path | None = None) -> None:
        self._value = value
        self._path = path
        self._reading: Future[str] | None = None

    def __repr__(self) -> str:
        return f"AccessToken(***, path={str(self._path)!r})" if self._path else "AccessToken(***)"

    @property
    def basic(self) -> str:
        """The `Authorization` header: the token is the username, the password is empty."""
        return "Basic " + b64encode(f"{self._value}:".encode()).decode()

    async def reread(self) -> bool:
        """Read the file again; return whether the token has changed.

        A file that is missing, empty, unreadable, too large or slow leaves the token as it is.
        """
        value = await self._read()
        changed = value not in {"", self._value}
        if changed:
            self._value = value
        return changed

    async def _read(self) -> str:
        """Return what is in the file, read in a thread of its own, or an empty text."""
        if self._path is None or (self._reading is not None and not self._reading.done()):
            return ""  # a reading that hangs is not joined by a second one
        self._reading = Future()
        Thread(target=_read, args=(self._path, self._reading), name="access token", daemon=True).start()
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await asyncio.wrap_future(self._reading)
        except TimeoutError:
            return ""


def _read(path: Path, reading: "Future[str]") -> None:
    """Give the future a file's content without the blanks around it; an empty text if it cannot be had."""
    if not reading.set_running_or_notify_cancel():  # from here on it cannot be cancelled any more
        return
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        reading.set_result(content.decode().strip() if len(content) <= LARGEST else "")
    except (OSError, UnicodeDecodeError):
        reading.set_result("")
