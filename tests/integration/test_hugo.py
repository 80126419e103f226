"""A site that the real Hugo built, served over HTTP: its posts, each with its categories."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from personalize.providers.posts import posts_from
from personalize.telemetry.metrics import Metrics
from tests.conftest import free_port, real_part
from tests.processes import PYTHON, Running, running, wait_for_port

FIRST_SECONDS = 20.0
"""For how long the first load is waited for, whatever else the machine does."""

CATEGORIES = ("Databases", "Data & Analytics", "Größe & Maß")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a site with seven posts, of which the last has no category."""
    posts = tmp_path / "content" / "posts"
    posts.mkdir(parents=True)
    (tmp_path / "config.toml").write_text('title = "Notes"\nlanguageCode = "en"\n')
    for number in range(7):
        categories = [CATEGORIES[number % 3]] if number < 6 else []
        head = f'title = "Note {number}"\ndate = 2026-11-1{number}\ncategories = {categories}'
        (posts / f"note{number}.md").write_text(f"+++\n{head}\n+++\nBody of *note* {number}.\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def site(folder: Path) -> Iterator[tuple[str, Running]]:
    """Return where the site is served, below a path, and the process that serves it."""
    hugo, port = real_part("hugo"), free_port()
    url = f"http://127.0.0.1:{port}/notes/"
    build = [hugo, "--source", str(folder), "--baseURL", url, "--destination", str(folder / "public" / "notes")]
    subprocess.run(build, check=True, capture_output=True, timeout=60)
    serve = [PYTHON, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder / "public")]
    with running(serve) as run:
        wait_for_port(port)
        yield url, run


async def test_posts_of_hugo_have_categories(site: tuple[str, Running]) -> None:
    """Though its feed names none: the feeds of categories do, and what has not changed is not sent again."""
    url, run = site
    async with httpx.AsyncClient(trust_env=False) as client:
        provider = posts_from([f"{url}index.xml"], client, Metrics(CollectorRegistry()))
        provider.first_wait = FIRST_SECONDS
        for _ in range(2):
            async with provider:
                posts = provider.items()

    assert [post.title for post in posts.newest()] == [f"Note {number}" for number in reversed(range(7))]
    assert posts.newest()[0].categories == ()
    for category in CATEGORIES:
        assert len(posts.in_category(category)) == 2, category
    assert posts.in_category("data-analytics") == posts.in_category("Data & Analytics")
    assert posts.in_category("größe-maß") == posts.in_category("Größe & Maß")
    assert posts.newest()[1].excerpt == "Body of note 5."
    assert provider.version == 1
    answers = [line.split('"')[2].split()[0] for line in run.lines if "GET /notes/" in line]
    assert answers == ["200"] * 5 + ["304"] * 5


async def test_a_page_of_hugo_leads_to_its_feed(site: tuple[str, Running], folder: Path) -> None:
    """A blog's own address is enough where its theme links the feed."""
    url, _ = site
    link = '<link rel="alternate" type="application/rss+xml" href="/notes/index.xml" title="Notes">'
    page = folder / "public" / "notes" / "index.html"
    page.write_text(f"<!DOCTYPE html><html><head><title>Notes</title>{link}</head><body></body></html>")
    metrics = Metrics(CollectorRegistry())
    async with httpx.AsyncClient(trust_env=False) as client:
        provider = posts_from([url], client, metrics)
        provider.first_wait = FIRST_SECONDS
        async with provider:
            assert len(provider.items().in_category("databases")) == 2
