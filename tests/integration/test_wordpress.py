"""The real WordPress, on a MariaDB of its own, with pretty and with plain permalinks."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from personalize import Posts
from personalize.providers.posts import posts_from
from personalize.telemetry.metrics import Metrics
from tests.conftest import free_port, real_part
from tests.processes import Running, running, wait_for_port, wait_until

SOURCE = Path("/usr/share/wordpress")
INSTALL = Path(__file__).parents[1] / "data" / "wordpress_install.php"
CONFIG = """<?php
define('DB_NAME', '{database}');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:{socket}');
define('DISABLE_WP_CRON', true);
// Called by another name than its own and not redirecting there, as behind a balancer.
define('WP_SITEURL', 'http://blog.example.com');
define('WP_HOME', 'http://blog.example.com');
$wp_filter = ['redirect_canonical' => [[['function' => '__return_false', 'accepted_args' => 1]]]];
$table_prefix = 'wp_';
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
"""


@dataclass(frozen=True)
class Blog:
    """A WordPress: where it is served, and the process that serves it."""

    url: str
    run: Running

    @property
    def asked(self) -> list[str]:
        """What it was asked for over HTTP, oldest first."""
        return [line.split("GET ")[1].split()[0] for line in self.run.lines if "GET " in line]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the socket of an empty MariaDB that ends with the tests."""
    server, installer = real_part("mariadbd"), real_part("mariadb-install-db")
    folder = tmp_path_factory.mktemp("mariadb")
    files = ["--no-defaults", f"--datadir={folder}/data", "--user=root"]
    install = [installer, *files, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, capture_output=True, timeout=60)
    socket = folder / "socket"
    with running([server, *files, f"--socket={socket}", f"--pid-file={folder}/pid", "--skip-networking"]) as run:
        wait_until(lambda: "ready for connections" in run.output, "MariaDB")
        yield socket


@contextmanager
def wordpress(folder: Path, database: Path, permalinks: str) -> Iterator[Blog]:
    """Install a WordPress and serve it with PHP's own server."""
    php, port = real_part("php"), free_port()
    if not SOURCE.is_dir():
        real_part("wordpress")  # which is no program: skips, or fails where real parts are required
    root = folder / "wordpress"
    shutil.copytree(SOURCE, root, ignore=shutil.ignore_patterns("languages"), ignore_dangling_symlinks=True)
    theme = root / "wp-content" / "themes" / "bare"
    theme.mkdir(parents=True)
    (theme / "style.css").write_text("/* Theme Name: Bare */")
    (theme / "index.php").write_text("<!DOCTYPE html><html><head><?php wp_head(); ?></head><body></body></html>")
    name = f"blog{port}"
    (root / "wp-config.php").write_text(CONFIG.format(database=name, socket=database))
    shutil.copy(INSTALL, root)
    client = [real_part("mariadb"), "--no-defaults", f"--socket={database}", "--user=root"]
    subprocess.run([*client, "--execute", f"CREATE DATABASE {name}"], check=True, capture_output=True, timeout=20)
    install = [php, str(root / INSTALL.name), permalinks]
    done = subprocess.run(install, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    with running([php, "-S", f"127.0.0.1:{port}", "-t", str(root)]) as run:
        wait_for_port(port)
        yield Blog(f"http://127.0.0.1:{port}", run)


async def read(*locations: str, times: int = 1) -> Posts:
    """Return what a provider of these locations holds after some loads."""
    async with httpx.AsyncClient(trust_env=False) as client:
        provider = posts_from(locations, client, Metrics(CollectorRegistry()))
        provider.first_wait = 20.0
        for _ in range(times):
            async with provider:
                posts = provider.items()
    return posts


def check(posts: Posts) -> None:
    """All pages, names of categories and their slugs, text for titles, a picture, and no host but the blog's own."""
    assert len(posts) == 105
    figures = posts.in_category("Data & Analytics")
    assert len(figures) == 5
    assert posts.in_category("figures") == figures
    assert figures[0].title == "Größe & Maß 104"
    assert figures[0].excerpt == "Body of note 104."
    assert figures[0].categories == ("Data & Analytics",)
    assert figures[0].image is not None
    assert figures[0].image.endswith("/a.png")
    assert [post.image for post in figures[1:]] == [None] * 4


async def test_wordpress_with_pretty_permalinks(tmp_path: Path, database: Path) -> None:
    """By the site's URL and by the API's; a second load of what has not changed asks for one thing only."""
    with wordpress(tmp_path, database, "/%postname%/") as blog:
        for location in (f"{blog.url}/", f"{blog.url}/wp-json/", f"{blog.url}/wp-json/wp/v2/posts"):
            check(await read(location))
        before = len(blog.asked)
        await read(f"{blog.url}/wp-json/wp/v2/", times=2)
        asked = blog.asked[before:]
        feed = await read(f"{blog.url}/feed/")
        figures = await read(f"{blog.url}/wp-json/wp/v2/posts?categories=2")
    assert [path.partition("?")[0].removeprefix("/wp-json/wp/v2") for path in asked] == [
        *("/", "/posts", "/categories", "/posts", "/posts"),
        "/posts",
    ]
    assert len(feed) == 10
    assert feed.in_category("Data & Analytics")[0].title == "Größe & Maß 104"
    assert len(figures) == 5


async def test_wordpress_with_plain_permalinks(tmp_path: Path, database: Path) -> None:
    """By the site's URL and by the API's, whose routes are in the query."""
    with wordpress(tmp_path, database, "") as blog:
        for location in (blog.url, f"{blog.url}/?rest_route=/", f"{blog.url}/index.php?rest_route=/wp/v2/posts"):
            check(await read(location))
        assert not [path for path in blog.asked if path.startswith("/wp-json")]
