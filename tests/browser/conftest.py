"""A real Chromium, and the servers of its pages."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.browser.sites import started
from tests.browser.webs import Service, Web, serving
from tests.conftest import real_part
from tests.documents import ROOT
from tests.sites import Site

ARTEFACTS = ROOT / "artefacts" / "browser"

expect.set_options(timeout=10_000)

PROGRAM = Path(__file__).with_name("chromium.sh")

ITS_OWN = "Failed to load resource"
"""What Chromium itself says of a request that failed: no script can keep it from that."""


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Return Debian's browser, shared by this folder's tests. `--no-sandbox` is for root, as whom containers run.

    It ends with the last of them: while it is there, no other test could run a loop of asyncio.
    """
    real_part("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def site() -> Iterator[Site]:
    """Return the service and its sandbox as `make run` starts them, with the console open."""
    with started() as site:
        yield site


@pytest.fixture
def complaints() -> list[str]:
    """Return what the page's console says that is wrong."""
    return []


@pytest.fixture
def tab(chromium: Browser, complaints: list[str]) -> Iterator[Page]:
    """Return a page of a visitor who was never here before."""

    def heard(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(ITS_OWN):
            complaints.append(message.text)

    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page


@pytest.fixture
def blog() -> Iterator[Web]:
    """Return a server of pages."""
    with serving() as web:
        yield web


@pytest.fixture
def service() -> Iterator[Service]:
    """Return what stands in the service's place, on an origin of its own."""
    with serving() as web:
        yield Service(web)


@pytest.fixture
def picture(tab: Page) -> Callable[[str], None]:
    """Return what keeps a picture of the page as it is, for people to look at."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)

    def taken(name: str) -> None:
        tab.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)

    return taken
