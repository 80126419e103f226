"""HTML fragments: who gets one, and that nothing in it is believed."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from personalize.app.application import create_app
from personalize.errors import RecipeLoadError
from personalize.testing import RecordingProfileApi, service
from tests.doubles import settings_of

OWN_RECIPES = '''
"""Recipes of this test."""

from typing import Annotated

from personalize import Trait, recipe


@recipe("card", access="public", template="card.html")
def card(name: Annotated[str, Trait("name")] = "you", url: Annotated[str, Trait("url")] = "") -> dict[str, str]:
    """Show a card."""
    return {"name": name, "url": url}


@recipe("plain", access="public")
def plain() -> str:
    """Have no template."""
    return "plain"
'''
CARD = '<a href="{{ data.url|link }}">{{ data.name }}</a>\n'
HTML = {"Accept": "text/html"}
EVIL = {"name": "<script>alert(1)</script>", "url": "javascript:alert(1)"}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "own.py").write_text(OWN_RECIPES)
    (tmp_path / "card.html").write_text(CARD)
    traits = {"name": "Ada", "url": "https://example.com/?a=1&b=2"}
    api = RecordingProfileApi({"user_id:ada": {"traits": traits}, "user_id:evil": {"traits": EVIL}})
    async with service(api, RECIPES=str(tmp_path / "own.py")) as client:
        yield client


async def test_who_asks_for_markup_gets_it(client: httpx.AsyncClient) -> None:
    """Kept like JSON, and told apart from it by caches."""
    answered = await client.get("/api/card?user_id=ada", headers=HTML)
    assert answered.text == '<a href="https://example.com/?a=1&amp;b=2">Ada</a>'
    assert answered.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answered.headers["Cache-Control"] == "private, max-age=60"
    assert "Accept" in answered.headers.get_list("Vary")
    again = await client.get("/api/card?user_id=ada", headers={**HTML, "If-None-Match": answered.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (None, False),
        ("*/*", False),
        ("application/json", False),
        ("application/json, text/html", False),
        ("text/html;q=0", False),
        ("text/html;q=no", False),
        ("text/html, application/json;q=0.9", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", True),
        ("TEXT/HTML", True),
    ],
)
async def test_json_is_what_everybody_else_gets(
    client: httpx.AsyncClient,
    accept: str | None,
    html: bool,  # noqa: FBT001 -- a column of the table
) -> None:
    """A script's `fetch` accepts anything, and means JSON."""
    headers = {"Accept": accept} if accept else {}
    answered = await client.get("/api/card?user_id=ada", headers=headers)
    assert answered.headers["Content-Type"].startswith("text/html" if html else "application/json")
    assert "Accept" in answered.headers.get_list("Vary")


async def test_a_recipe_without_a_template_answers_json(client: httpx.AsyncClient) -> None:
    """Whatever is asked for."""
    answered = await client.get("/api/plain?user_id=ada", headers=HTML)
    assert answered.json()["data"] == "plain"


async def test_nothing_in_a_profile_becomes_markup(client: httpx.AsyncClient) -> None:
    """Neither a tag nor a link that runs."""
    answered = await client.get("/api/card?user_id=evil", headers=HTML)
    assert answered.text == '<a href="#">&lt;script&gt;alert(1)&lt;/script&gt;</a>'


ENDLESS = "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}"


@pytest.mark.parametrize("template", ["{{ data.nothing }}", "{{ 1 / 0 }}", "{% include 'other.html' %}", ENDLESS])
async def test_a_template_that_fails_is_the_recipes_failure(
    tmp_path: Path, template: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told in the answer without a word of what was, and to the operator with where."""
    (tmp_path / "own.py").write_text(OWN_RECIPES)
    (tmp_path / "card.html").write_text(template)
    async with service(RecordingProfileApi(), RECIPES=str(tmp_path / "own.py")) as client:
        answered = await client.get("/api/card?user_id=ada", headers=HTML)
        counted = (await client.get("/metrics")).text
    assert (answered.status_code, answered.json()["code"]) == (500, "recipe_failed")
    assert 'personalize_requests_total{outcome="error",recipe="card"} 1.0' in counted
    assert 'personalize_recipe_failures_total{reason="raised",recipe="card"} 1.0' in counted
    assert str(tmp_path / "card.html") in capsys.readouterr().out


@pytest.mark.parametrize(("template", "words"), [("{% if %}", "card.html:1"), (None, "cannot be read")])
def test_a_template_that_is_none_stops_the_start(tmp_path: Path, template: str | None, words: str) -> None:
    """With its file and line."""
    (tmp_path / "own.py").write_text(OWN_RECIPES)
    if template is not None:
        (tmp_path / "card.html").write_text(template)
    with pytest.raises(RecipeLoadError, match=words):
        create_app(settings_of(RECIPES=str(tmp_path / "own.py")))
