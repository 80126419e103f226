"""The API's description and the page that shows it: served from here, kept for a while, and nothing inline."""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import httpx
import openapi_spec_validator
import pytest

from personalize.testing import RecordingProfileApi, service
from personalize.web.assets import STATIC
from personalize.web.docs import FILES
from tests.doubles import ORIGIN

DESCRIPTION = "/openapi.json"
PAGE = "/docs"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with service(RecordingProfileApi(), ALLOWED_ORIGINS=ORIGIN, ID_TYPES="loyalty") as one:
        yield one


class Tags(HTMLParser):
    """The tags of a page, with their attributes."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


async def test_the_service_describes_what_it_has_loaded(client: httpx.AsyncClient) -> None:
    """As valid OpenAPI 3.1, with the ids that this deployment accepts."""
    answered = await client.get(DESCRIPTION)
    assert answered.headers["Content-Type"] == "application/json"
    api = answered.json()
    openapi_spec_validator.validate(api)
    assert api["openapi"].startswith("3.1.")
    assert "/api/recommended-posts" in api["paths"]
    names = [one["name"] for one in api["paths"]["/api/recommended-posts"]["get"]["parameters"]]
    assert names == ["user_id", "anonymous_id", "external_id", "limit", "exclude", "timeout_ms"]


@pytest.mark.parametrize("path", [DESCRIPTION, PAGE, *(f"{PAGE}/{name}" for name in FILES)])
async def test_what_is_the_same_for_everybody_is_kept(client: httpx.AsyncClient, path: str) -> None:
    """By shared caches too; and who has it already is told so."""
    answered = await client.get(path)
    assert (answered.status_code, answered.headers["Cache-Control"]) == (200, "public, max-age=60")
    assert answered.headers["X-Content-Type-Options"] == "nosniff"
    again = await client.get(path, headers={"If-None-Match": answered.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", answered.headers["ETag"])
    compressed = await client.get(path, headers={"If-None-Match": f"W/{answered.headers['ETag']}"})
    assert compressed.status_code == 304
    assert (await client.post(path)).status_code == 405


async def test_allowed_pages_may_read_the_description(client: httpx.AsyncClient) -> None:
    """As they may read answers."""
    answered = await client.get(DESCRIPTION, headers={"Origin": ORIGIN})
    assert answered.headers["Access-Control-Allow-Origin"] == ORIGIN


async def test_the_page_runs_nothing_but_what_is_served_here(client: httpx.AsyncClient) -> None:
    """Its policy allows nothing inline, nothing evaluated and no other host."""
    answered = await client.get(PAGE)
    assert answered.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(one.split(" ", 1) for one in answered.headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


async def test_all_that_the_page_loads_is_there(client: httpx.AsyncClient) -> None:
    """Beside it, so that it also works behind a path of another server's."""
    markup = (await client.get(PAGE)).text
    tags = Tags(markup).found
    loaded = [
        value for _, attributes in tags for name, value in attributes.items() if name in {"src", "href"} and value
    ]
    assert len(loaded) == 6
    for url in loaded:
        assert url == "data:," or (await client.get(f"/{url}")).status_code == 200, url
    assert not [
        tag for tag, attributes in tags if "style" in attributes or any(one.startswith("on") for one in attributes)
    ]
    assert re.findall(r"<script[^>]*>(.*?)</script>", markup, re.DOTALL) == ["", ""]
    assert "<style" not in markup


def test_what_is_bundled_comes_with_its_licence() -> None:
    """Swagger UI's, and those of what it is made of."""
    folder = STATIC / "swagger-ui"
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert "SmartBear" in (folder / "NOTICE").read_text()
    assert "license" in (folder / "swagger-ui-bundle.js.LICENSE.txt").read_text().lower()


@pytest.mark.parametrize(
    "path", [f"{PAGE}/", f"{PAGE}/docs.html", f"{PAGE}/../settings.py", f"{PAGE}/swagger-ui/LICENSE"]
)
async def test_nothing_else_lies_there(client: httpx.AsyncClient, path: str) -> None:
    """Files are served by name, not by folder."""
    assert (await client.get(path)).status_code == 404
