"""A real nginx in front of a service, keeping what it is allowed to keep."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.conftest import free_port, real_part
from tests.processes import ended, wait_for_port

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/temporary;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_cache_path {folder}/cache keys_zone=answers:1m;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {upstream};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_cache answers;
            proxy_cache_key {key};
            proxy_cache_valid 10m;
            proxy_cache_valid any 10m;
            add_header X-Cache $upstream_cache_status always;
        }}
    }}
}}
"""
"""As documentation shows a cache: all that does not forbid it is kept for ten minutes, errors too.

It is one process, which needs no other user's leave for its folder. `X-Cache` says what nginx did: `HIT` is an answer
that was meant for somebody before.
"""


UPGRADING = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/temporary;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream service {{
        server {address};
        keepalive 4;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
        }}
    }}
}}
"""
"""As documentation shows a proxy that lets WebSockets through, with connections that are kept."""


@contextmanager
def caching(upstream: str, folder: Path, *, key: str = "$scheme$proxy_host$request_uri") -> Iterator[str]:
    """Run a caching nginx in front of a service, and return its URL.

    Args:
        upstream: the service's URL.
        folder: keeps all that nginx writes.
        key: what nginx takes for the same question, in its own variables; left out, its default, the whole URL.
    """
    with _running(CONFIGURATION, folder, upstream=upstream, key=key) as url:
        yield url


@contextmanager
def upgrading(upstream: str, folder: Path) -> Iterator[str]:
    """Run an nginx in front of a service that passes offers of other protocols on, and return its URL."""
    with _running(UPGRADING, folder, address=urlsplit(upstream).netloc) as url:
        yield url


@contextmanager
def _running(configuration: str, folder: Path, **named: str) -> Iterator[str]:
    program, port = real_part("nginx"), free_port()
    file = folder / "nginx.conf"
    file.write_text(configuration.format(folder=folder, port=port, **named))
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen([program, "-c", str(file), "-e", str(folder / "error.log")], stdout=log, stderr=log)
    with ended(process):
        wait_for_port(port)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()  # a signal to end that comes just before it waits would not be heard until somebody asks
