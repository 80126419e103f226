"""Sites at the transport, for providers to read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

Answer = httpx.Response | bytes


@dataclass
class Site:
    """Answers each path with what is there for it, else 404, and remembers what it was asked."""

    answers: dict[str, Answer | Callable[[httpx.Request], Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Paths with their queries, oldest first."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as `httpx.MockTransport` asks."""
        self.asked.append(request.url.raw_path.decode())
        answer = self.answers.get(request.url.path, httpx.Response(404))
        given = answer(request) if callable(answer) else answer
        return httpx.Response(200, content=given) if isinstance(given, bytes) else given

    def client(self) -> httpx.AsyncClient:
        """Return a client to which this site is the whole network."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self))


@contextmanager
def away(site: Site, path: str) -> Iterator[None]:
    """Let a path answer 503 for a while."""
    there = site.answers[path]
    site.answers[path] = lambda _: httpx.Response(503)
    yield
    site.answers[path] = there


def rss(*items: tuple[str, str], generator: str = "") -> bytes:
    """Return an RSS feed of titles and links."""
    inside = "".join(f"<item><title>{title}</title><link>{link}</link></item>" for title, link in items)
    return f'<rss version="2.0"><channel><generator>{generator}</generator>{inside}</channel></rss>'.encode()
