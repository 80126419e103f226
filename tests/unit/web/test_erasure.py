"""Erasing people on the order of one of our servers."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from personalize import settings
from personalize.app.application import create_app
from personalize.testing import API_KEY, RecordingProfileApi, client_of, service
from tests.doubles import UUID, environment

PROFILES = "/api/profiles"
AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}
OVERVIEW = "/api/account-overview?group_id=acme"


@pytest.fixture
def api() -> RecordingProfileApi:
    ada = {"traits": {"favorite_blog_category": "tea"}}
    return RecordingProfileApi({"user_id:ada": ada, f"anonymous_id:{UUID}": ada, "group_id:acme": {"traits": {}}})


@pytest.fixture
async def client(api: RecordingProfileApi) -> AsyncIterator[httpx.AsyncClient]:
    async with service(api, ID_TYPES="loyalty") as client:
        yield client


async def asked(client: httpx.AsyncClient, who: str) -> None:
    assert (await client.get(f"/api/recommended-posts?{who}")).status_code == 200


async def test_whoever_is_erased_is_read_anew(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """Under the id that was named, and under those that were learnt together with it."""
    await asked(client, f"user_id=ada&anonymous_id={UUID}")
    await asked(client, f"anonymous_id={UUID}")
    await client.get(OVERVIEW, headers=AUTHORIZED)
    before = len(api.calls)
    answer = await client.delete(f"{PROFILES}?user_id=ada", headers=AUTHORIZED)
    assert (answer.status_code, answer.content, answer.headers["Cache-Control"]) == (204, b"", "no-store")
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    await asked(client, f"anonymous_id={UUID}")
    await asked(client, "user_id=ada")
    await client.get(OVERVIEW, headers=AUTHORIZED)
    assert len(api.calls) == before + 2


async def test_answers_that_were_made_of_somebody_are_forgotten_too(client: httpx.AsyncClient) -> None:
    """The memo does not know of whom they were."""
    await asked(client, "user_id=ada")
    assert "personalize_memo_bytes 0.0" not in (await client.get("/metrics")).text
    await client.delete(f"{PROFILES}?user_id=ada", headers=AUTHORIZED)
    assert "personalize_memo_bytes 0.0" in (await client.get("/metrics")).text


async def test_ids_of_every_kind_may_be_named_at_once(client: httpx.AsyncClient) -> None:
    """Each as often as there are; the audit tells how many, on whose order, and of which request."""
    query = f"user_id=ada&user_id=a2&anonymous_id={UUID}&external_id=loyalty:7&group_id=acme"
    with capture_logs() as logged:
        answer = await client.delete(f"{PROFILES}?{query}", headers={**AUTHORIZED, "X-Request-Id": "r-1"})
    assert answer.status_code == 204
    assert logged == [{"event": "person_erased", "log_level": "info", "ids": 5, "by": "tests", "request_id": "r-1"}]


async def test_an_account_is_erased_by_its_group_id(client: httpx.AsyncClient, api: RecordingProfileApi) -> None:
    """It is in a collection of its own."""
    await client.get(OVERVIEW, headers=AUTHORIZED)
    before = len(api.calls)
    await client.delete(f"{PROFILES}?group_id=acme", headers=AUTHORIZED)
    await client.get(OVERVIEW, headers=AUTHORIZED)
    assert len(api.calls) == 2 * before


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer fake-key-of-nobody-here"}, {"Authorization": "x"}])
async def test_only_servers_erase(client: httpx.AsyncClient, api: RecordingProfileApi, headers: dict[str, str]) -> None:
    """Nobody else is even told what is wrong with the ids."""
    await asked(client, "user_id=ada")
    with capture_logs() as logged:
        for query in ("user_id=ada", "nonsense=1", ""):
            answer = await client.delete(f"{PROFILES}?{query}", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "bad_credentials")
    await asked(client, "user_id=ada")
    assert (len(api.calls), {one["event"] for one in logged}) == (1, {"request_answered"})


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "user_id"),
        ("user_id=", "user_id"),
        ("user_id=ada&anonymous_id=%00", "anonymous_id"),
        (f"user_id={'a' * 256}", "user_id"),
        ("usr_id=ada", "usr_id"),
        ("user_id=ada&limit=3", "limit"),
        ("external_id=7", "external_id"),
        ("external_id=email:ada@example.com", "external_id"),
        ("external_id=unheard:7", "external_id"),
        ("user_id=%ff", "query"),
        ("&".join(["user_id=ada"] * 101), "query"),
    ],
)
async def test_what_is_no_id_is_refused_with_its_field(client: httpx.AsyncClient, query: str, field: str) -> None:
    """And nobody is erased, not even those whose ids were right."""
    with capture_logs() as logged:
        answer = await client.delete(f"{PROFILES}?{query}", headers=AUTHORIZED)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
    assert [one["event"] for one in logged] == ["request_answered"]
    assert answer.json()["detail"].startswith(f"`{field}` ")
    assert "ada@" not in answer.text


async def test_a_redis_that_is_away_is_no_success(api: RecordingProfileApi, tmp_path: Path) -> None:
    """Whoever asks is told to ask again, and soon; this process has forgotten all the same."""
    async with service(api, REDIS_URL=f"unix://{tmp_path}/none.sock", HASH_KEY="0123456789abcdef") as client:
        await asked(client, "user_id=ada")
        with capture_logs() as logged:
            answer = await client.delete(f"{PROFILES}?user_id=ada", headers=AUTHORIZED)
        await asked(client, "user_id=ada")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_erased")
    assert (answer.headers["Retry-After"], answer.headers["Cache-Control"]) == ("1", "no-store")
    assert "person_not_erased" in [event["event"] for event in logged]
    assert "person_erased" not in [event["event"] for event in logged]
    assert len(api.calls) == 2


async def test_one_of_several_processes_that_share_nothing_promises_nothing(api: RecordingProfileApi) -> None:
    """The others would go on remembering."""
    loaded = settings.load(environment(API_KEYS=f"tests:{API_KEY}", FLEET_SIZE="2"))
    async with client_of(create_app(loaded, transport=api.transport)) as client:
        answer = await client.delete(f"{PROFILES}?user_id=ada", headers=AUTHORIZED)
    assert answer.status_code == 503
    assert "PERSONALIZE_REDIS_URL" in answer.json()["detail"]


async def test_there_is_nothing_else_to_be_done_with_profiles(client: httpx.AsyncClient) -> None:
    """It is no recipe's name, and whole profiles are never shown."""
    for method in ("GET", "HEAD", "POST", "PUT"):
        answer = await client.request(method, f"{PROFILES}?user_id=ada", headers=AUTHORIZED)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "DELETE")
