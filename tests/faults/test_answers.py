"""Segment answers nonsense: it is not believed, not kept, and not shown."""

import gzip
import json
from collections.abc import Iterator

import pytest

from tests.faults import visitors
from tests.faults.conftest import Serve
from tests.faults.service import Service
from tests.faults.upstream import LAST_PAGE, Upstream, http, traits
from tests.processes import wait_until

MEBIBYTE = 1024 * 1024
DEEP = 10_000

GOOD = json.dumps({"traits": {}, "cursor": LAST_PAGE}).encode()
NONSENSE = {
    "no bytes": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "half a body": http(GOOD)[:-20],
    "no body": http(b""),
    "no content": http(b"", status="204 No Content"),
    "a redirect": http(b"", status="302 Found", Location="http://127.0.0.1:1/"),
    "a chunk that lies": http(b"ffff\r\nshort\r\n", Content_Length="", Transfer_Encoding="chunked").replace(
        b"Content-Length: \r\n", b""
    ),
    "a length that is none": http(GOOD, Content_Length="-1"),
    "gzip that is none": http(b"\x1f\x8b\x08broken", Content_Encoding="gzip"),
    "a gzip bomb": http(gzip.compress(bytes(50 * MEBIBYTE), 1), Content_Encoding="gzip"),
    "gzip unasked": http(gzip.compress(GOOD), Content_Encoding="gzip"),
    "HTML": http(b"<!doctype html><title>Welcome</title>", Content_Type="text/html"),
    "an array": http(b"[]"),
    "a string": http(b'"traits"'),
    "traits that are null": http(b'{"traits": null}'),
    "traits that are a list": http(b'{"traits": [1, 2]}'),
    "NaN": http(b'{"traits": {"name_of_visitor": NaN}}'),
    "no UTF-8": http(b'{"traits": {"name_of_visitor": "\xff\xfe"}}'),
    "a depth of ten thousand": http(b'{"traits": {"name_of_visitor": ' + b"[" * DEEP + b"]" * DEEP + b"}}"),
    "two mebibytes": http(b'{"traits": {"name_of_visitor": "' + b"x" * 2 * MEBIBYTE + b'"}}'),
    "a head of a mebibyte": http(GOOD, X_Filler="x" * MEBIBYTE),
    "a 404 of a proxy": http(b"<h1>Not Found</h1>", status="404 Not Found", Content_Type="text/html"),
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream().running() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def service(upstream: Upstream, serve: Serve) -> Iterator[Service]:
    with serve(upstream.url, RATE_LIMIT="1000") as service:
        yield service


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_a_failed_read(service: Service, upstream: Upstream, name: str) -> None:
    """The page has its default, the failure is counted, nothing of it is kept, and the next answer is believed."""
    visitor = f"asked-about-{name.replace(' ', '-')}"
    before, upstream.answer = service.numbers, NONSENSE[name]
    response = service.get(visitors.path(visitor))

    assert response.status_code == 200
    assert response.json() == {"recipe": "mirror", "personalized": False, "degraded": True, "data": []}
    outcomes = service.numbers.labels("personalize_upstream_requests_total", "outcome") - {"ok", "not_found"}
    failed = sum(
        service.numbers("personalize_upstream_requests_total", outcome=outcome)
        - before("personalize_upstream_requests_total", outcome=outcome)
        for outcome in outcomes
    )
    assert 1 <= failed <= 2  # perhaps with one retry

    upstream.answer = traits(name_of_visitor=visitor)
    wait_until(lambda: service.is_well(visitor), "the visitor to be known", 10)
    assert "Traceback" not in service.run.output


def test_nonsense_does_not_replace_what_is_known(upstream: Upstream, serve: Serve) -> None:
    """The last good answer stays."""
    upstream.answer = traits(name_of_visitor="ada")
    with serve(upstream.url, CACHE_TTL="300ms", REVALIDATE_TTL="600ms") as service:
        assert service.is_well("ada")
        for nonsense in ("HTML", "traits that are null", "half a body"):
            upstream.answer = NONSENSE[nonsense]
            wait_until(lambda: service.ask("ada")["degraded"], "the answer's age")
            assert service.knows("ada")


def test_pages_are_turned_by_cursor_alone(upstream: Upstream, serve: Serve) -> None:
    """An answer's URL leads nowhere, and pages without end have one."""
    with Upstream(traits()).running() as elsewhere:
        cursor = {"url": f"{elsewhere.url}/v1/steal", "has_more": True, "next": "again", "limit": 1}
        event = {"event": "Step Taken", "properties": {"name_of_visitor": "ada"}, "timestamp": "2026-01-02T03:04:05Z"}
        upstream.paths.clear()
        upstream.answer = http(json.dumps({"data": [{"type": "track", **event}], "cursor": cursor}).encode())
        with serve(upstream.url) as service:
            service.ask("ada", "echo")
        assert elsewhere.paths == []
    assert 1 <= len(upstream.paths) <= 10
    assert all(path.startswith("/v1/spaces/") for path in upstream.paths)


def test_pages_that_always_move_on_are_capped(upstream: Upstream, serve: Serve) -> None:
    """Not even a new cursor a page is followed for ever."""
    with _Endless().running() as endless, serve(endless.url) as service:
        service.ask("ada", "echo")
        wait_until(lambda: service.numbers("personalize_upstream_requests_total", route="events") >= 1, "the read")
    assert 1 <= len(endless.paths) <= 20


class _Endless(Upstream):
    """Every page has another one after it."""

    @property
    def answer(self) -> bytes:
        cursor = {"url": "", "has_more": True, "next": f"page-{len(self.paths)}", "limit": 1}
        return http(json.dumps({"data": [], "cursor": cursor}).encode())

    @answer.setter
    def answer(self, _: bytes) -> None:
        """Keep to it."""
