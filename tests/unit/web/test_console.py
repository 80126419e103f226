"""The console: who may use it, and all that it tells of an answer."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from personalize.errors import ConfigurationError
from personalize.testing import API_KEY, RecordingProfileApi, service
from personalize.web.console import FILES
from tests.tokens import SECRET, bearer, minted

ANSWER = "/console/answers/recommended-posts?user_id=ada"
OWN_RECIPES = '''
"""Recipes of this test."""

from personalize import recipe


@recipe("broken", access="public")
def broken() -> str:
    """Fail."""
    raise LookupError("why")


@recipe("misfit", access="public", template="misfit.html")
def misfit() -> str:
    """Answer what its template cannot show."""
    return "text"
'''


@pytest.fixture
def api() -> RecordingProfileApi:
    return RecordingProfileApi({"user_id:ada": {"traits": {"favorite_blog_category": "tea"}}})


@pytest.fixture
async def client(api: RecordingProfileApi, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Return a console that asks for a key."""
    (tmp_path / "own.py").write_text(OWN_RECIPES)
    (tmp_path / "misfit.html").write_text("{{ data.nothing.there }}")
    named = {
        "RECIPES": f"shipped,{tmp_path / 'own.py'}",
        "API_KEYS": f"web:{API_KEY}",
        "IDENTITY_KEYS": f"web:{SECRET}",
    }
    async with service(api, **named) as one:
        yield one


async def told(client: httpx.AsyncClient, path: str = ANSWER) -> Any:
    answer = await client.get(path, headers=bearer(API_KEY))
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", ["/console", *(f"/console/{name}" for name in FILES)])
async def test_the_page_itself_knows_nothing(client: httpx.AsyncClient, api: RecordingProfileApi, path: str) -> None:
    """It is the same for everybody, and loads and runs only what comes from here."""
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "public, max-age=60")
    if path == "/console":
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert " style=" not in answer.text
        assert "<script>" not in answer.text
    assert api.calls == []


@pytest.mark.parametrize("path", [ANSWER, "/console/vitals"])
@pytest.mark.parametrize(
    ("proof", "status"), [(None, 401), (lambda: "fake-key-of-nobody", 401), (lambda: minted("user_id:ada"), 403)]
)
async def test_what_it_asks_needs_a_key(
    client: httpx.AsyncClient, api: RecordingProfileApi, path: str, proof: Callable[[], str] | None, status: int
) -> None:
    """A visitor's own token does not do; nothing is read."""
    headers = bearer(proof()) if proof else {}
    assert (await client.get(path, headers=headers)).status_code == status
    assert api.calls == []


@pytest.mark.parametrize(
    "named", [{"CONSOLE": "off", "API_KEYS": f"web:{API_KEY}"}, {"CONSOLE": "keys", "API_KEYS": ""}]
)
async def test_where_nobody_may_use_it_there_is_none(api: RecordingProfileApi, named: dict[str, str]) -> None:
    """Also where there is no key that could be sent."""
    async with service(api, **named) as client:
        for path in ("/console", "/console/vitals", ANSWER):
            assert (await client.get(path, headers=bearer(API_KEY) if named["API_KEYS"] else {})).status_code == 404


async def test_in_development_it_is_open(api: RecordingProfileApi) -> None:
    """Whoever reaches it may ask about anybody; a wrong key is still told to be wrong."""
    async with service(api, CONSOLE="open", SPACE_ID="sandbox") as client:
        client.base_url = httpx.URL("http://localhost")
        assert (await client.get(ANSWER)).json()["personalized"] is True
        assert (await client.get("/console/answers/customer-context?user_id=ada")).status_code == 200
        assert (await client.get(ANSWER, headers=bearer("fake-key-of-nobody"))).status_code == 401
        assert (await client.get(ANSWER, headers={"Host": "rebound.example"})).status_code == 401


async def test_a_real_space_is_never_open(api: RecordingProfileApi) -> None:
    """The service does not start, and says what to do instead."""
    with pytest.raises(ConfigurationError, match="Use `keys`, and an API key"):
        async with service(api, CONSOLE="open"):
            pass


async def test_an_answer_says_where_it_came_from(client: httpx.AsyncClient) -> None:
    """Each need its tier and age; each call to Segment its Request-Id; and what took how long."""
    first = await told(client)
    [call] = first["calls"]
    assert (call["route"], call["outcome"]) == ("traits", "ok")
    assert call["request_id"]
    assert 0 <= call["at"] <= call["at"] + call["seconds"] <= first["total"]
    sources = {one["parameter"]: one["source"] for one in first["needs"]}
    assert sources == {"posts": "provider", "category": "profile_api", "limit": "default", "exclude": "default"}
    again = await told(client, f"{ANSWER}&limit=3")
    assert again["calls"] == []
    [category] = [one for one in again["needs"] if one["parameter"] == "category"]
    assert (category["source"], category["ttl"] > 0, category["age"] >= 0) == ("memory", True, True)
    assert "request" in {one["source"] for one in again["needs"]}
    assert first["request_id"] != again["request_id"]


async def test_an_answer_is_shown_by_its_template(client: httpx.AsyncClient) -> None:
    """If it has one that fits; the page shows it where it can do nothing."""
    assert (await told(client))["markup"].startswith("<")
    assert (await told(client, "/console/answers/customer-context?user_id=ada"))["markup"] is None
    assert (await told(client, "/console/answers/misfit?user_id=ada"))["markup"] is None


async def test_a_recipe_that_fails_says_why(client: httpx.AsyncClient) -> None:
    """To its engineer, who has the key; a page would never be told."""
    failed = await told(client, "/console/answers/broken?user_id=ada")
    assert (failed["error"], failed["data"], failed["provenance"]) == ("raised (LookupError: why)", None, "error")


@pytest.mark.parametrize(
    ("path", "status"), [("/console/answers/nothing?user_id=ada", 404), ("/console/answers/recommended-posts", 400)]
)
async def test_what_is_asked_wrongly_is_a_problem(client: httpx.AsyncClient, path: str, status: int) -> None:
    """As at the recipe's own route."""
    answer = await client.get(path, headers=bearer(API_KEY))
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")


async def test_vitals_rise_with_what_happens(client: httpx.AsyncClient) -> None:
    """Counts since the start, of which a page draws the differences."""
    before = await told(client, "/console/vitals")
    await client.get("/api/recommended-posts?user_id=ada", headers=bearer(API_KEY))
    after = await told(client, "/console/vitals")
    assert (before["calls"], after["calls"]) == (0, 1)
    assert before["process"] == after["process"] != ""
    assert (before["budget"], before["breaker_open"]) == (80, False)
    assert sum(after["answers"].values()) == sum(before["answers"].values()) + 1
    assert after["reads"]["none"] == before["reads"].get("none", 0) + 1
    assert after["seconds"]["+Inf"] == before["seconds"].get("+Inf", 0) + 1
