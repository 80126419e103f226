"""A Profile API that answers whatever bytes a test wants, beyond what the sandbox would say."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

HEAD_LIMIT = 65536
LAST_PAGE = {"url": "", "has_more": False, "next": "", "limit": 1}


def http(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """Return an answer, with the length of its body and these headers."""
    named = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def traits(**values: Any) -> bytes:
    """Return an answer of the traits route as it should be."""
    return http(json.dumps({"traits": values, "cursor": LAST_PAGE}).encode())


class Upstream(socketserver.ThreadingTCPServer):
    """Answers every request with `answer`, and closes the connection after it, whole or not.

    Args:
        answer: the bytes to send, head and all.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, answer: bytes = b"") -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.answer = answer
        self.paths: list[str] = []
        """What was asked, oldest first."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator["Upstream"]:
        """Answer while the body runs."""
        thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="upstream", daemon=True)
        with self:
            thread.start()
            yield self
            self.shutdown()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: whoever reads a bad answer may hang up."""


class _Answering(socketserver.StreamRequestHandler):
    server: Upstream

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n") and len(head) < HEAD_LIMIT and (line := self.rfile.readline()):
            head += line
        if head:
            self.server.paths.append(head.split()[1].decode())
            self.wfile.write(self.server.answer)
