"""A real WordPress with the plugin of deploy/wordpress, active."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.desks import PLUGIN, Desk, Tags, logged_in
from tests.wordpress import PASSWORD, wordpress


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory, database: Path) -> Iterator[Desk]:
    """Return a WordPress in which the plugin was activated from the list of plugins."""
    with (
        wordpress(tmp_path_factory.mktemp("plugin"), database, "/%postname%/", PLUGIN) as blog,
        logged_in(blog, "admin", PASSWORD) as admin,
    ):
        links = [one["href"] for one in Tags(admin.get("/wp-admin/plugins.php").text).named("a") if "href" in one]
        [activate] = [link for link in links if "action=activate" in link and "personalize" in link]
        activated = admin.get(f"/wp-admin/{activate}")
        assert "error" not in activated.headers["Location"]
        yield Desk(blog, admin)


@pytest.fixture
def guest(desk: Desk) -> Iterator[httpx.Client]:
    """Return somebody whom the blog does not know."""
    with httpx.Client(base_url=desk.blog.url, timeout=30, trust_env=False) as guest:
        yield guest


@pytest.fixture(autouse=True)
def no_complaints(desk: Desk) -> Iterator[None]:
    """PHP warns of nothing in the plugin, nor tells that it is deprecated, whatever a test does."""
    yield
    assert [line for line in desk.blog.complaints if "plugins/personalize" in line] == []
