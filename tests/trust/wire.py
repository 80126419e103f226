"""Raw connections to a service: what is sent is exactly the bytes that a test says."""

import json
import select
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

ANSWER_SECONDS = 20.0
"""What a service has for an answer: a busy machine, not a slow service."""


@dataclass(frozen=True)
class Answer:
    """What came back: a status, headers by their lower-case names, and a body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._read = connection.makefile("rb")

    def send(self, data: bytes) -> "Wire":
        """Send bytes, or as many of them as are taken: whoever has answered already may have closed."""
        with suppress(ConnectionError):
            self._connection.sendall(data)
        return self

    def answer(self) -> Answer:
        """Return the next answer, which says how long it is."""
        status = self._line()
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in iter(self._line, ""))}
        length = 0 if status.split()[1] in {"204", "304"} else int(headers["content-length"])
        return Answer(int(status.split()[1]), headers, self._read.read(length))

    def ended(self) -> bool:
        """Whether the service closes without another byte, waiting until it does."""
        with suppress(ConnectionError):
            return self._read.read(1) == b""
        return True

    def answers_within(self, seconds: float) -> bool:
        """Whether there is something to read within some seconds."""
        return bool(select.select([self._connection], [], [], seconds)[0])

    def close(self) -> None:
        self._read.close()
        self._connection.close()

    def _line(self) -> str:
        return self._read.readline().decode().rstrip("\r\n")


@contextmanager
def wire(url: str) -> Iterator[Wire]:
    """Open one connection."""
    parts = urlsplit(url)
    opened = Wire(socket.create_connection((parts.hostname or "", parts.port or 80), timeout=ANSWER_SECONDS))
    try:
        yield opened
    finally:
        opened.close()


def exchange(url: str, request: bytes) -> Answer:
    """Return the answer to one request, which ends its connection."""
    with wire(url) as one:
        answer = one.send(request).answer()
        assert one.ended()
    return answer
