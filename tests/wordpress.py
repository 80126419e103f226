"""The real WordPress of tests, on a MariaDB of its own."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import free_port, real_part
from tests.processes import Running, running, wait_for_port, wait_until

SOURCE = Path("/usr/share/wordpress")
INSTALL = Path(__file__).parent / "data" / "wordpress_install.php"
PASSWORD = "fake-password-of-a-test"
CONFIG = """<?php
define('DB_NAME', '{database}');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:{socket}');
define('DISABLE_WP_CRON', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
// What PHP complains of goes into a file, and not into pages.
define('WP_DEBUG', true);
define('WP_DEBUG_DISPLAY', false);
define('WP_DEBUG_LOG', __DIR__ . '/debug.log');
if (is_file(__DIR__ . '/more-config.php')) require __DIR__ . '/more-config.php';
// Called by another name than its own and not redirecting there, as behind a balancer.
define('WP_SITEURL', 'http://blog.example.com');
define('WP_HOME', 'http://blog.example.com');
$wp_filter['redirect_canonical'] = [[['function' => '__return_false', 'accepted_args' => 1]]];
$table_prefix = 'wp_';
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
"""
THEME = """<!DOCTYPE html><html><head><?php wp_head(); ?></head><body>
<?php while (have_posts()) { the_post(); the_content(); } wp_footer(); ?>
</body></html>"""


@dataclass(frozen=True)
class Blog:
    """A WordPress: where it is served, from which folder, and the process that serves it."""

    url: str
    root: Path
    run: Running

    @property
    def asked(self) -> list[str]:
        """What it was asked for over HTTP, oldest first."""
        return [line.split("GET ")[1].split()[0] for line in self.run.lines if "GET " in line]

    @property
    def complaints(self) -> list[str]:
        """What PHP has complained of, oldest first."""
        log = self.root / "debug.log"
        return log.read_text().splitlines() if log.exists() else []

    def php(self, code: str) -> str:
        """Run a line of PHP inside this WordPress, and return what it prints."""
        command = [real_part("php"), "-r", f"require 'wp-load.php'; {code}"]
        done = subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True, timeout=60)
        return done.stdout


@contextmanager
def mariadb(folder: Path) -> Iterator[Path]:
    """Yield the socket of an empty MariaDB."""
    server, installer = real_part("mariadbd"), real_part("mariadb-install-db")
    files = ["--no-defaults", f"--datadir={folder}/data", "--user=root"]
    install = [installer, *files, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, capture_output=True, timeout=60)
    socket = folder / "socket"
    with running([server, *files, f"--socket={socket}", f"--pid-file={folder}/pid", "--skip-networking"]) as run:
        wait_until(lambda: "ready for connections" in run.output, "MariaDB")
        yield socket


@contextmanager
def wordpress(folder: Path, database: Path, permalinks: str, plugin: Path | None = None) -> Iterator[Blog]:
    """Install a WordPress, with a plugin that is not active yet, and serve it with PHP's own server."""
    php, port = real_part("php"), free_port()
    root = folder / "wordpress"
    _copy(root, plugin)
    name = f"blog{port}"
    (root / "wp-config.php").write_text(CONFIG.format(database=name, socket=database))
    client = [real_part("mariadb"), "--no-defaults", f"--socket={database}", "--user=root"]
    subprocess.run([*client, "--execute", f"CREATE DATABASE {name}"], check=True, capture_output=True, timeout=20)
    install = [php, str(root / INSTALL.name), permalinks, PASSWORD]
    done = subprocess.run(install, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    edited = folder / "edited"  # PHP looks whether a file was edited every two seconds only, unless it is named here
    edited.write_text(str(root / "wp-config.php"))
    cached = ["-d", f"opcache.blacklist_filename={edited}"]
    with running([php, *cached, "-S", f"127.0.0.1:{port}", "-t", str(root)]) as run:
        wait_for_port(port)
        yield Blog(f"http://127.0.0.1:{port}", root, run)


def _copy(root: Path, plugin: Path | None) -> None:
    """Lay out the files: WordPress' own, a theme, what installs it, and a plugin."""
    if not SOURCE.is_dir():
        real_part("wordpress")  # which is no program: skips, or fails where real parts are required
    shutil.copytree(SOURCE, root, ignore=shutil.ignore_patterns("languages"), ignore_dangling_symlinks=True)
    shutil.copy(INSTALL, root)
    theme = root / "wp-content" / "themes" / "bare"
    theme.mkdir(parents=True)
    (theme / "style.css").write_text("/* Theme Name: Bare */")
    (theme / "index.php").write_text(THEME)
    if plugin is not None:
        shutil.copytree(plugin, root / "wp-content" / "plugins" / plugin.name)
