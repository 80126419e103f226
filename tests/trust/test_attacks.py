"""Whoever is not whom they ask about gets nothing, at any door, in any position; and nothing is read to say so."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from personalize.app.application import Application
from personalize.cache.aliases import MAX_UNPROVEN
from personalize.model import Visitor
from personalize.registry import AnyRecipe
from personalize.testing import API_KEY
from personalize.web.exposures import Exposures
from tests.doubles import UUID
from tests.processes import until
from tests.pushes import told, written
from tests.redises import Server, needs_redis
from tests.tokens import EC_KEY, ED_KEY, claims, eddsa, es256, minted
from tests.trust.attacks import BROKEN, GUESSABLE, OTHER_UUID, STRANGERS, Proofs, Stranger, carrying
from tests.trust.conftest import CANARY, House, about, opened
from tests.trust.doors import ASKED, ERASING, LOOKING, OPEN, SIGNED, path_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

USER = {"user_id": "ada"}


def guarded(house: House) -> list[AnyRecipe]:
    """Return the recipes that are not for everybody."""
    return [one for one in house.recipes.values() if one.access != "public"]


def refusal(recipe: AnyRecipe, *, proven: bool) -> int:
    """Return what a guarded recipe answers to those whom it is not for."""
    for_servers = recipe.access == "server" or recipe.collection == "accounts"
    return 401 if for_servers and not proven else 403


async def refused(house: House, recipe: AnyRecipe, ids: Mapping[str, str], proofs: Proofs, status: int) -> list[str]:
    """Return the doors at which something else happened than that everybody is refused."""
    wrong = []
    for door in house.doors:
        answer = await door.ask(house.client, recipe, about(recipe.collection, ids), proofs)
        if door.verdict(answer, recipe) not in {status, None} or CANARY in answer.text:
            wrong.append(f"{door} {recipe.name}: {answer.status_code} {answer.text}")
    return wrong


async def test_no_route_is_forgotten(house: House) -> None:
    """Whoever adds one says that it is about nobody, or how it is asked about somebody; then it is attacked here."""
    assert {path_of(route) for route in house.app.routes} == OPEN | ERASING | SIGNED | LOOKING.keys() | ASKED.keys()
    assert {door.path for door in house.doors} == ASKED.keys()
    assert {(one.access, one.collection) for one in guarded(house)} == {
        ("verified", "users"),
        ("verified", "accounts"),
        ("server", "users"),
        ("server", "accounts"),
    }


@pytest.mark.parametrize("attack", BROKEN)
async def test_a_broken_proof_is_refused_everywhere(house: House, attack: str) -> None:
    """Also where none is needed: whoever sends one is told, and nothing is read."""
    before = await house.reads()
    wrong = []
    for recipe in house.recipes.values():
        for ids in (USER, {"anonymous_id": UUID}):
            wrong += await refused(house, recipe, ids, BROKEN[attack](), 401)
    assert wrong == []
    assert (house.api.calls, await house.reads()) == ([], before)


@pytest.mark.parametrize("path", sorted(ERASING))
async def test_nobody_but_our_own_servers_erases(house: House, path: str) -> None:
    """Nor learns whether there was anybody to erase: whoever is known is known as before."""
    for attack in BROKEN.values():
        answer = await house.client.delete(path, params=USER, headers=attack())
        assert answer.status_code == 401
    for stranger in STRANGERS:
        answer = await house.client.delete(path, params=[*stranger.ids.items()], headers=stranger.proofs)
        assert answer.status_code == (401 if stranger.sub is None else 403)
    owner = await house.client.delete(path, params=USER, headers=carrying(minted("user_id:ada")))
    assert owner.status_code == 403
    await house.ask_about_everybody()
    assert house.api.calls == []


@pytest.mark.parametrize("who", [None, "user_id:mallory", "anonymous_id:mallory"])
async def test_junk_beside_somebody_does_not_keep_them_from_being_erased(tmp_path: Path, who: str | None) -> None:
    """Whoever makes ids up beside theirs fills half of the room; the device on which they log in is learnt still.

    A good token for oneself, or for one of the ids that are made up, says nothing about others.
    """
    async with opened(tmp_path) as house:
        device = {"anonymous_id": UUID}
        for number in range(100):
            made_up = f"00000000-0000-4000-8000-{number:012}"
            junk = {"user_id": "ada", "anonymous_id": made_up}
            for sub in (who, f"anonymous_id:{made_up}") if who else (who,):
                headers = dict(carrying(minted(sub))) if sub else {}
                answer = await house.client.get("/api/recommended-posts", params=junk, headers=headers)
                assert answer.status_code == 200
        proof = dict(carrying(minted("user_id:ada")))
        assert (await house.client.get("/api/name", params=USER | device, headers=proof)).status_code == 200
        house.api.requests.clear()
        await house.client.delete("/api/profiles", params=USER, headers=dict(carrying(API_KEY)))
        await house.client.get("/api/name", params=device)
        assert house.api.calls == [f"traits anonymous_id:{UUID}"]


@pytest.mark.parametrize(
    ("sub", "believed"),
    [(None, False), ("user_id:mallory", False), (f"anonymous_id:{UUID}", False), ("user_id:ada", True)],
)
async def test_nobody_is_told_of_by_somebody_elses_proof(house: House, sub: str | None, *, believed: bool) -> None:
    """What was shown to a user id is written to its profile only if the token is that user's."""
    told: list[Visitor] = []
    assert isinstance(house.app, Application)
    house.app.lane = None  # as where exposures are told
    app = Exposures(house.app, lambda visitor, _: told.append(visitor))
    headers = dict(carrying(minted(sub))) if sub else {}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as client:
        await client.get("/api/recommended-posts", params={"user_id": "ada", "anonymous_id": UUID}, headers=headers)
    assert [one.proven for one in told] == [believed]


@pytest.mark.parametrize("path", LOOKING.values())
async def test_nobody_but_our_own_servers_looks_behind_answers(house: House, path: str) -> None:
    """Neither by a broken proof, nor by a visitor's good one, about themselves or others; nothing is read."""
    before = await house.reads()
    for attack in BROKEN.values():
        assert (await house.client.get(path, params=USER, headers=attack())).status_code == 401
    owner = Stranger("user_id:ada", USER)
    for stranger in (*STRANGERS, owner):
        answer = await house.client.get(path, params=[*stranger.ids.items()], headers=stranger.proofs)
        assert answer.status_code == (401 if stranger.sub is None else 403)
        assert CANARY not in answer.text
    assert (house.api.calls, await house.reads()) == ([], before)


@pytest.mark.parametrize("path", sorted(SIGNED))
async def test_nobody_but_segment_pushes_changes(house: House, path: str) -> None:
    """No proof that is good elsewhere stands for a signature, and nothing changes that was not signed."""
    for proofs in (*(attack() for attack in BROKEN.values()), carrying(minted("user_id:ada")), carrying(API_KEY), []):
        answer = await house.client.post(path, content=written(told("first_name", "Eve", userId="ada")), headers=proofs)
        assert answer.status_code == 403
    await house.ask_about_everybody()
    assert house.api.calls == []


@pytest.mark.parametrize("stranger", STRANGERS, ids=str)
async def test_nobody_gets_what_is_not_theirs(house: House, stranger: Stranger) -> None:
    """A good token for somebody else is as none, in any position; nothing is read."""
    before = await house.reads()
    wrong = []
    for recipe in guarded(house):
        status = refusal(recipe, proven=stranger.sub is not None)
        wrong += await refused(house, recipe, stranger.ids, stranger.proofs, status)
    assert wrong == []
    assert (house.api.calls, await house.reads()) == ([], before)


@needs_redis
@pytest.mark.timeout(120)
async def test_redis_is_not_asked_either(redis_server: Server, tmp_path: Path) -> None:
    """With a shared tier, no command is sent on anybody's behalf who is refused; one who is not costs some."""
    async with opened(tmp_path, REDIS_URL=redis_server.url, HASH_KEY="fake-hash-key-of-a-test") as house:
        redis_server.client.config_resetstat()
        for attack in BROKEN:
            assert await refused(house, house.recipes["name"], USER, BROKEN[attack](), 401) == []
        for stranger in STRANGERS:
            assert await refused(house, house.recipes["name"], stranger.ids, stranger.proofs, 403) == []
        assert redis_server.calls() == {}
        await house.client.get("/api/name", params={"user_id": "nobody"}, headers=dict(carrying(API_KEY)))
        assert redis_server.calls() != {}


@pytest.mark.parametrize(
    ("sub", "ids"),
    [
        ("user_id:ada", USER),
        ("user_id:ada", {**USER, "anonymous_id": OTHER_UUID}),
        ("user_id:ada", {"anonymous_id": OTHER_UUID}),
        (f"anonymous_id:{GUESSABLE}", {"anonymous_id": GUESSABLE}),
        (f"anonymous_id:{UUID}", {"anonymous_id": UUID}),
        (None, {"anonymous_id": UUID}),
    ],
)
async def test_everybody_gets_what_is_theirs(house: House, sub: str | None, ids: Mapping[str, str]) -> None:
    """At every door; and it shows in what was read, so that the tests above would see it."""
    proofs = [] if sub is None else carrying(minted(sub))
    for door in house.doors:
        before = await house.reads()
        answer = await door.ask(house.client, house.recipes["name"], ids, proofs)
        assert door.verdict(answer, house.recipes["name"]) in {200, None}
        assert door.method == "HEAD" or CANARY in answer.text
        assert await house.reads() != before


async def test_every_kind_of_key_is_live(house: House) -> None:
    """A back end that signs with a private key is believed by the public one."""
    for token in (es256(claims(), EC_KEY, kid="mobile"), eddsa(claims(), ED_KEY, kid="shop")):
        answer = await house.client.get("/api/name", params=USER, headers=dict(carrying(token)))
        assert answer.json()["data"] == CANARY


@pytest.mark.parametrize("stranger", STRANGERS, ids=str)
async def test_our_own_servers_may_ask_everything(house: House, stranger: Stranger) -> None:
    """Every recipe, about everybody, at every door."""
    for recipe in house.recipes.values():
        if recipe.name != "broken":
            assert await refused_nowhere(house, recipe, stranger.ids) == []


async def refused_nowhere(house: House, recipe: AnyRecipe, ids: Mapping[str, str]) -> list[str]:
    """Return the doors at which a server is not answered."""
    wrong = []
    for door in house.doors:
        answer = await door.ask(house.client, recipe, about(recipe.collection, ids), carrying(API_KEY))
        if door.verdict(answer, recipe) not in {200, None}:
            wrong.append(f"{door} {recipe.name}: {answer.status_code} {answer.text}")
    return wrong


@pytest.mark.alone  # what Redis does not take in time is lost
@needs_redis
async def test_made_up_ids_do_not_fill_redis(redis_server: Server, tmp_path: Path) -> None:
    """What is put beside somebody who is cached costs nothing to ask for, so it must leave next to nothing behind."""
    async with opened(tmp_path, REDIS_URL=redis_server.url, HASH_KEY="fake-hash-key-of-a-test") as house:
        before = people(redis_server)
        for number in range(10 * MAX_UNPROVEN):
            junk = {"user_id": "ada", "anonymous_id": f"00000000-0000-4000-8000-{number:012}"}
            assert (await house.client.get("/api/recommended-posts", params=junk)).status_code == 200
        await until(settled, "what was learnt to be written")
        assert most_links(redis_server) + await lost(house.client) >= MAX_UNPROVEN
    assert 0 < people(redis_server) - before <= MAX_UNPROVEN + 1


def people(server: Server) -> int:
    """Return how many ids are linked to others; profiles, which may still be on their way there, do not count."""
    return sum(1 for _ in server.client.scan_iter(_type="set"))


def most_links(server: Server) -> int:
    """Return how many ids are linked to whoever has the most of them."""
    return max((server.client.scard(key) for key in server.client.scan_iter(_type="set")), default=0)


async def lost(client: httpx.AsyncClient) -> float:
    """Return how many links Redis did not take in time."""
    told = text_string_to_metric_families((await client.get("/metrics")).text)
    return sum(
        sample.value
        for family in told
        if family.name in {"personalize_redis_failures", "personalize_redis_skipped"}
        for sample in family.samples
        if sample.name.endswith("_total") and sample.labels["operation"] == "relate"
    )


async def settled() -> bool | None:
    """Return whether all that is put into Redis behind an answer's back is there or given up, or `None` until then."""
    return not any(task.get_name() == "cache write" for task in asyncio.all_tasks()) or None


async def test_what_is_public_asks_for_no_proof_and_minds_none(house: House) -> None:
    """A page may send its visitor's token along with all that it asks."""
    recipe = house.recipes["recommended-posts"]
    for proofs in ([], carrying(minted("user_id:ada"))):
        for door in house.doors:
            answer = await door.ask(house.client, recipe, {"user_id": "bob"}, proofs)
            assert door.verdict(answer, recipe) in {200, None}


@pytest.mark.parametrize("known", ["bob", "ada"])
@pytest.mark.parametrize("subject", [None, "user_id:somebody"])
async def test_a_refusal_does_not_tell_who_is_known(house: House, known: str, subject: str | None) -> None:
    """Somebody in the cache and somebody whom nobody knows are refused in the same words."""
    named = [*(carrying(minted(subject)) if subject else []), ("X-Request-Id", "r1")]
    for recipe in guarded(house):
        for door in house.doors:
            there, nowhere = [
                await door.ask(house.client, recipe, about(recipe.collection, {"user_id": who}), named)
                for who in (known, "nobody")
            ]
            assert (there.content, there.headers) == (nowhere.content, nowhere.headers)


SMUGGLED = [
    httpx.Request("GET", "http://service.test/api/name?user_id=ada&user_id=bob"),
    httpx.Request("GET", "http://service.test/api/name?user_id=ada&User_Id=bob"),
    httpx.Request("GET", "http://service.test/api/name?user_id=ada;user_id=bob"),
    httpx.Request("GET", "http://service.test/api/name?user_id[]=bob&user_id=ada"),
    httpx.Request("GET", "http://service.test/api/name?user_id=ada%00bob"),
    httpx.Request("GET", "http://service.test/api/personalize?recipes=name&user_id=ada&user_id=bob"),
    httpx.Request("GET", "http://service.test/api/personalize?recipes=name&user_id=ada&name.user_id=bob"),
    httpx.Request("GET", "http://service.test/api/personalize?recipes=a:name,b:name&user_id=ada&b.user_id=bob"),
    httpx.Request("POST", "http://service.test/api/personalize?user_id=bob", json={"recipes": [{"name": "name"}]}),
    httpx.Request(
        "POST",
        "http://service.test/api/personalize",
        json={"user_id": "ada", "recipes": [{"name": "name", "params": {"user_id": "bob"}}]},
    ),
    httpx.Request(
        "POST",
        "http://service.test/api/personalize",
        json={"user_id": "ada", "recipes": [{"name": "name", "user_id": "bob"}]},
    ),
    httpx.Request("POST", "http://service.test/api/personalize", json={"user_id": ["ada", "bob"], "recipes": []}),
    httpx.Request(
        "POST",
        "http://service.test/api/personalize",
        headers={"Content-Type": "application/json"},
        content=b'{"user_id": "ada", "recipes": [{"name": "name"}], "user_id": "bob"}',
    ),
]


@pytest.mark.parametrize("request_", SMUGGLED, ids=lambda one: f"{one.method} {one.url.query.decode() or one.content}")
async def test_no_second_id_is_smuggled_in(house: House, request_: httpx.Request) -> None:
    """Where two ids could be meant, neither is: what is checked is what is read."""
    before = await house.reads()
    request_.headers["Authorization"] = f"Bearer {minted('user_id:ada')}"
    answer = await house.client.send(request_)
    status = answer.json()["results"]["name"]["error"]["status"] if answer.status_code == 200 else answer.status_code
    assert status in {400, 403}, answer.text
    assert CANARY not in answer.text
    assert (house.api.calls, await house.reads()) == ([], before)


async def test_a_refusal_says_how_to_prove(house: House) -> None:
    """Which proof is missing, with the header that carries it (RFC 9110, 11.6.1)."""
    nothing = await house.client.get("/api/customer-context", params=USER)
    assert (nothing.status_code, nothing.json()["code"]) == (401, "bad_credentials")
    assert nothing.headers["WWW-Authenticate"] == "Bearer"
    old = await house.client.get("/api/name", params=USER, headers=dict(BROKEN["expired"]()))
    assert (old.status_code, old.json()["code"]) == (401, "bad_credentials")
    assert old.headers["WWW-Authenticate"] == "Bearer"
    assert old.json()["detail"] == "The identity token has expired (`exp`): get a new one."
    other = await house.client.get("/api/name", params=USER, headers=dict(carrying(minted("user_id:bob"))))
    assert (other.status_code, other.json()["code"]) == (403, "proof_required")
    assert "an identity token whose `sub` is that id" in other.json()["detail"]
    assert {one.headers["Cache-Control"] for one in (nothing, old, other)} == {"no-store"}
