"""Nothing is connected to but what was checked; a name is asked under its own name all the same."""

import asyncio
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from personalize.errors import ProviderFailed
from personalize.providers.fetch import fetch, new_client
from personalize.providers.transport import CheckedTransport, NotPublic
from tests.conftest import real_part

PUBLIC, OTHER = "93.184.216.34", "2606:4700::1111"
REFUSED = "leads to a private address, which is asked only with PERSONALIZE_PRIVATE_FEEDS=true"


@dataclass
class Net:
    """A name server and the hosts behind the addresses, at the transport; remembers what it was asked."""

    names: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    """The answers to a name, one after the other; the last stays."""
    answers: dict[str, httpx.Response] = field(default_factory=dict)
    """By path."""
    down: set[str] = field(default_factory=set)
    looked_up: list[str] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    async def look_up(self, host: str) -> Sequence[str]:
        self.looked_up.append(host)
        answers = self.names.get(host)
        if answers is None:
            raise OSError(host)
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def send(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.host in self.down:
            raise httpx.ConnectError("down")
        return self.answers.get(request.url.path, httpx.Response(200, content=b"<rss/>"))

    def client(self, *, private: bool = False) -> httpx.AsyncClient:
        transport = CheckedTransport(private=private, lookup=self.look_up, inner=httpx.MockTransport(self.send))
        return httpx.AsyncClient(transport=transport)

    async def fetch(self, url: str, *, private: bool = False) -> bytes:
        async with self.client(private=private) as client:
            document = await fetch(url, client)
        assert document is not None
        return document.body

    async def failure(self, url: str) -> str:
        with pytest.raises(ProviderFailed) as failed:
            await self.fetch(url)
        return str(failed.value)

    @property
    def connected(self) -> list[str]:
        return [request.url.host for request in self.requests]


async def test_a_name_is_asked_at_the_address_that_was_checked() -> None:
    """Looked up once; the host, the certificate's name and what a link is resolved against stay the name's."""
    net = Net({"blog.example.com": [[PUBLIC]]})
    async with net.client() as client:
        document = await fetch("https://user:pw@blog.example.com:8443/feed?n=1", client)

    [request] = net.requests
    assert net.looked_up == ["blog.example.com"]
    assert str(request.url) == f"https://user:pw@{PUBLIC}:8443/feed?n=1"
    assert request.headers["host"] == "blog.example.com:8443"
    assert request.extensions["sni_hostname"] == "blog.example.com"
    assert document is not None
    assert document.location == "https://user:pw@blog.example.com:8443/feed?n=1"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "169.254.169.254", "10.0.0.1", "[::1]", "[::ffff:169.254.169.254]", "[fd00:ec2::254]"),
        *("2130706433", "0x7f.1", "127.1", "127。0。0。1", "localhost", "metadata.example.com"),
    ],
)
async def test_a_private_address_is_refused_however_it_is_spelled(host: str) -> None:
    """The reason names the setting, and nothing is sent."""
    net = Net({"localhost": [["::1", "127.0.0.1"]], "metadata.example.com": [["169.254.169.254"]]})
    assert await net.failure(f"http://{host}/latest?key=1") == f"http://{host}/latest {REFUSED}"
    assert net.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
async def test_an_operator_may_allow_private_addresses(host: str) -> None:
    """As of a blog on the same network."""
    assert await Net({"localhost": [["127.0.0.1"]]}).fetch(f"http://{host}/", private=True) == b"<rss/>"


async def test_a_name_cannot_change_its_address_after_the_check() -> None:
    """What it would be the second time is never asked."""
    net = Net({"rebinding.example.com": [[PUBLIC], ["127.0.0.1"]]})
    await net.fetch("http://rebinding.example.com/feed")
    assert (net.connected, len(net.looked_up)) == ([PUBLIC], 1)


async def test_of_several_addresses_only_the_public_ones_are_tried() -> None:
    """One after the other, until one can be connected to."""
    net = Net({"blog.example.com": [["10.0.0.1", PUBLIC, OTHER]]}, down={PUBLIC})
    assert await net.fetch("http://blog.example.com/feed") == b"<rss/>"
    assert net.connected == [PUBLIC, OTHER]


async def test_a_host_of_which_no_address_answers_cannot_be_connected_to() -> None:
    """As one without a name."""
    net = Net({"blog.example.com": [[PUBLIC, OTHER]], "empty.example.com": [[]]}, down={PUBLIC, OTHER})
    for host in ("blog.example.com", "empty.example.com", "none.example.com"):
        assert await net.failure(f"http://{host}/feed") == f"http://{host}/feed cannot be connected to"
    assert net.connected == [PUBLIC, OTHER]


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest", "//localhost/x", "http://2130706433/", "http://[::1]/"]
)
async def test_a_redirect_is_checked_like_the_first_address(target: str) -> None:
    """A public host cannot lead inside."""
    net = Net({"blog.example.com": [[PUBLIC]], "localhost": [["127.0.0.1"]]})
    net.answers["/feed"] = httpx.Response(302, headers={"location": target})
    assert await net.failure("http://blog.example.com/feed") == f"http://blog.example.com/feed {REFUSED}"
    assert net.connected == [PUBLIC]


async def test_a_name_may_be_private_by_the_time_of_a_redirect() -> None:
    """Each hop is looked up and checked for itself."""
    net = Net({"rebinding.example.com": [[PUBLIC], ["127.0.0.1"]]})
    net.answers["/feed"] = httpx.Response(302, headers={"location": "/again"})
    assert REFUSED in await net.failure("http://rebinding.example.com/feed")
    assert net.connected == [PUBLIC]


async def test_names_are_looked_up_for_real() -> None:
    """This machine's own, and a strange spelling as the C library reads it; one that cannot be has no address."""
    async with CheckedTransport(private=True) as transport:
        assert set(await transport.addresses(httpx.URL("http://localhost/"))) <= {"127.0.0.1", "::1"}
        assert await transport.addresses(httpx.URL("http://2130706433/")) == ["127.0.0.1"]
        with pytest.raises(httpx.ConnectError, match="no such name"):  # longer than a label may be
            await transport.addresses(httpx.URL(f"http://{'a' * 64}.invalid/"))


async def test_a_real_client_refuses_and_allows() -> None:
    """As the service makes it: no connection is made to a port of this machine unless that is wanted."""
    connections: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<rss/>")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, new_client(private=False) as careful, new_client(private=True) as free:
        with pytest.raises(ProviderFailed, match=REFUSED):
            await fetch(f"http://localhost:{port}/feed", careful)
        assert connections == []
        document = await fetch(f"http://localhost:{port}/feed", free)
    assert document is not None
    assert document.body == b"<rss/>"
    assert f"host: localhost:{port}" in connections[0].lower()


@pytest.mark.parametrize("host", ["blog.example.com", "other.example.com"])
async def test_the_certificate_is_that_of_the_name(host: str, tmp_path: Path) -> None:
    """Not of the address, and not of another name there."""
    key, certificate = _certificate(tmp_path, "blog.example.com")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<rss/>")
        writer.close()

    async def look_up(_: str) -> Sequence[str]:
        return ["127.0.0.1"]

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=serving)
    url = f"https://{host}:{server.sockets[0].getsockname()[1]}/feed"
    inner = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=str(certificate)), trust_env=False)
    transport = CheckedTransport(private=True, lookup=look_up, inner=inner)
    async with server, httpx.AsyncClient(transport=transport) as client:
        if host == "blog.example.com":
            assert (await client.get(url)).content == b"<rss/>"
        else:
            with pytest.raises(httpx.ConnectError, match="not valid for"):
                await client.get(url)


def test_a_refused_address_is_an_error_of_connecting() -> None:
    """So whoever does not know it treats it as one."""
    assert issubclass(NotPublic, httpx.ConnectError)


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", f"/CN={name}"]
    files = ["-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([real_part("openssl"), "req", "-x509", *made, *files], check=True, capture_output=True)
    return key, certificate
