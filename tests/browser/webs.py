"""Small web servers of tests: one that has the pages, and one in the service's place that says what it is told to."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from personalize.web.snippet import ALIAS, MEDIA_TYPE, SCRIPT

HELD_SECONDS = 20.0
API = "/api/personalize"


@dataclass(frozen=True)
class Answer:
    """What is answered, and what is waited for before."""

    body: str | bytes = ""
    kind: str = "text/html; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    held: threading.Event | None = None


@dataclass(frozen=True)
class Seen:
    """A request that came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def ids(self) -> dict[str, str]:
        """The visitor's."""
        return {name: value for name, value in self.query.items() if name in {"user_id", "anonymous_id"}}


@dataclass
class Web:
    """A server's address, what it answers by path, and what it was asked."""

    url: str
    answers: dict[str, Answer | Callable[[Seen], Answer]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def page(self, body: str, path: str = "/", *, head: str = "", **headers: str) -> str:
        """Serve a page, and return its address."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        markup = f'<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">{head}{body}'
        self.answers[path] = Answer(markup, headers=named)
        return self.url + path

    def asked(self, path: str = API) -> list[Seen]:
        """Return the requests of one path."""
        return [one for one in self.seen if one.path == path]


class Service:
    """In the service's place: serves the script, and answers recipes with the data that a test gives them."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.data: dict[str, Any] = {}
        self.max_age = 60
        self.tag = f'<script async src="{web.url}{ALIAS}"></script>'
        web.answers[ALIAS] = Answer(SCRIPT, MEDIA_TYPE)
        web.answers[API] = self.answer

    @property
    def asked(self) -> list[Seen]:
        """The questions that came."""
        return self.web.asked()

    def answer(self, asked: Seen) -> Answer:
        """Answer a page's recipes; one that this test does not know is refused as if it needed a proof."""
        named = (one.partition(":") for one in asked.query["recipes"].split(","))
        results = {id_: self._result(recipe) for id_, _, recipe in named}
        answered = any(one["status"] == "ok" for one in results.values())
        age = self.max_age if answered else 0
        body = json.dumps({"results": results})
        return Answer(body, "application/json", headers={"Cache-Control": f"private, max-age={age}"})

    def _result(self, recipe: str) -> dict[str, Any]:
        told = {"personalized": recipe in self.data, "degraded": False, "data": self.data.get(recipe)}
        if recipe in self.data:
            return {"status": "ok", **told}
        return {"status": "error", **told, "error": {"status": 403, "code": "proof_required", "detail": "…"}}


@contextmanager
def serving() -> Iterator[Web]:
    """Serve on loopback while the body runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.web = Web(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]  # for the handler
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.web  # type: ignore[attr-defined]  # set above
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        web: Web = self.server.web  # type: ignore[attr-defined]  # set by `serving`
        parts = urlsplit(self.path)
        seen = Seen(self.command, parts.path, dict(parse_qsl(parts.query)), dict(self.headers))
        web.seen.append(seen)
        answer = web.answers.get(parts.path, Answer("Not here.", status=404))
        self._send(answer(seen) if callable(answer) else answer)

    def do_OPTIONS(self) -> None:
        """Allow what a page wants to send along."""
        web: Web = self.server.web  # type: ignore[attr-defined]  # set by `serving`
        web.seen.append(Seen(self.command, urlsplit(self.path).path, {}, dict(self.headers)))
        self._send(Answer(status=204, headers={"Access-Control-Allow-Headers": "Authorization"}))

    def _send(self, answer: Answer) -> None:
        if answer.held is not None:
            answer.held.wait(HELD_SECONDS)
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        common = {"Content-Type": answer.kind, "Content-Length": str(len(body)), "Access-Control-Allow-Origin": "*"}
        try:
            self.send_response(answer.status)
            for name, value in {**common, **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # the browser no longer waits for it
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Print nothing."""
