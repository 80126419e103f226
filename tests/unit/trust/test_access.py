"""Access: who is asking, and what they may ask."""

import hashlib
import itertools

import pytest

from personalize.declare import Access, recipe
from personalize.errors import BadCredentials, ProofRequired
from personalize.model import Collection, ExternalId, Visitor
from personalize.registry import AnyRecipe
from personalize.testing import API_KEY
from personalize.trust.access import ANYBODY, Caller, Callers, authorize, require_server, shown
from personalize.trust.identity import IdentityTokens
from personalize.trust.ids import IdRules
from personalize.trust.keys import ApiKeys
from tests.doubles import UUID
from tests.tokens import WEB, minted

CALLERS_OF_HERE = Callers(
    ApiKeys([("web", hashlib.sha256(API_KEY.encode()).digest())]),
    IdentityTokens([WEB], audience="personalize", rules=IdRules()),
)
SERVER = Caller(server="web")


def test_no_header_is_anybody() -> None:
    """A visitor's browser sends none."""
    assert CALLERS_OF_HERE.identify([]) == ANYBODY == Caller(server=None, proven=None)


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {API_KEY}",
        f"bearer {API_KEY}",
        f"BEARER {API_KEY}",
        f"Bearer   {API_KEY}",
        f" Bearer {API_KEY} ",
    ],
)
def test_a_known_key_is_a_server(header: str) -> None:
    """The scheme's name has no case (RFC 9110, 11.1), and blanks around do not count."""
    assert CALLERS_OF_HERE.identify([header]) == SERVER


def test_a_token_is_a_visitor() -> None:
    """The one whom it names."""
    caller = CALLERS_OF_HERE.identify([f"Bearer {minted('user_id:ada')}"])
    assert caller == Caller(proven=ExternalId("user_id", "ada"))


@pytest.mark.parametrize("second", [f"Bearer {API_KEY}", f"Bearer {minted('user_id:ada')}", ""])
def test_two_headers_are_refused(second: str) -> None:
    """Somebody between us and the caller may have read the other one."""
    with pytest.raises(BadCredentials, match="more than one"):
        CALLERS_OF_HERE.identify([f"Bearer {API_KEY}", second])


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        API_KEY,
        f"Bearer{API_KEY}",
        f"Bearer\t{API_KEY}",
        f"Bearer {API_KEY} more",
        f"Bearer {API_KEY}, Bearer {API_KEY}",
        f"Basic {API_KEY}",
        f"Token {API_KEY}",
        "Bearer another-key-of-nobody",
        f"Bearer {API_KEY.upper()}",
    ],
)
def test_a_header_that_proves_nothing_is_refused(header: str) -> None:
    """A broken key must not pass for an anonymous visitor, and is not quoted."""
    with pytest.raises(BadCredentials) as refused:
        CALLERS_OF_HERE.identify([header])
    assert API_KEY.lower() not in str(refused.value).lower()
    assert (refused.value.status, refused.value.code, refused.value.label) == (401, "bad_credentials", "denied")


VISITORS = {
    "user": Visitor(user_id="u1"),
    "user named by a UUID": Visitor(user_id=UUID),
    "random": Visitor(anonymous_id=UUID),
    "random in capitals": Visitor(anonymous_id=UUID.upper()),
    "guessable": Visitor(anonymous_id="visitor-17"),
    "a time and a machine": Visitor(anonymous_id="5e0f0c5a-8d3c-1c57-9f0e-0d2f5b6a7c11"),
    "nothing but zeros": Visitor(anonymous_id="00000000-0000-0000-0000-000000000000"),
    "nearly random": Visitor(anonymous_id=UUID + "0"),
    "random and more": Visitor(anonymous_id=f"x {UUID}"),
    "random with a newline": Visitor(anonymous_id=f"{UUID}\n"),
    "user and random": Visitor(user_id="u1", anonymous_id=UUID),
    "user and guessable": Visitor(user_id="u1", anonymous_id="visitor-17"),
    "user by another id": Visitor(external_id=ExternalId("user_id", "u1")),
    "user and another id": Visitor(user_id="u1", external_id=ExternalId("loyalty", "l1")),
    "random and another id": Visitor(anonymous_id=UUID, external_id=ExternalId("user_id", "u1")),
    "account": Visitor(group_id="g1"),
    "account named by a UUID": Visitor(group_id=UUID),
    "nobody": Visitor(),
}
ACCESSES: tuple[Access, ...] = ("public", "verified", "server")
CALLERS = {
    "anybody": ANYBODY,
    "server": SERVER,
    "the user": Caller(proven=ExternalId("user_id", "u1")),
    "another user": Caller(proven=ExternalId("user_id", "u2")),
    "a user named by a UUID": Caller(proven=ExternalId("user_id", UUID)),
    "the guessable": Caller(proven=ExternalId("anonymous_id", "visitor-17")),
    "the random": Caller(proven=ExternalId("anonymous_id", UUID)),
    "a visitor named like the user": Caller(proven=ExternalId("anonymous_id", "u1")),
}
ANYBODYS = {"random", "random in capitals"}
"""Visitors whose id nobody else could have guessed."""

PROVEN = {
    "anybody": ANYBODYS,
    "the user": {"user", "user and random", *ANYBODYS},
    "another user": ANYBODYS,
    "a user named by a UUID": {"user named by a UUID", *ANYBODYS},
    "the guessable": {"guessable"},
    "the random": {"random"},
    "a visitor named like the user": set[str](),
}
"""Whom a caller may ask about by a verified recipe."""


SHOWN = {
    "the user": {"user", "user and random", "user by another id", "random and another id"},
    "a user named by a UUID": {"user named by a UUID"},
    "the guessable": {"guessable"},
    "the random": {"random"},
}
"""Whose ids a token shows to be one person's: those that it names, alone or beside one that nobody could guess."""


COLLECTIONS: tuple[Collection, ...] = ("users", "accounts")


def asking(access: Access, collection: Collection = "users") -> AnyRecipe:
    """Return a recipe of that access."""

    def nothing() -> None:
        """Say nothing."""

    return recipe("nothing", access=access, collection=collection)(nothing)


def allowed(access: Access, collection: Collection, visitor: str, caller: str) -> bool:
    """Return what the rules say: servers all, anybody the public, and of the rest only users who are the caller."""
    if caller == "server" or access == "public":
        return True
    return access == "verified" and collection == "users" and visitor in PROVEN[caller]


@pytest.mark.parametrize(
    ("access", "collection", "visitor", "caller"), [*itertools.product(ACCESSES, COLLECTIONS, VISITORS, CALLERS)]
)
def test_who_may_ask_what(access: Access, collection: Collection, visitor: str, caller: str) -> None:
    """The whole table: what is not plainly allowed is refused."""
    asked = asking(access, collection)
    if allowed(access, collection, visitor, caller):
        authorize(asked, VISITORS[visitor], CALLERS[caller])
    else:
        with pytest.raises((BadCredentials, ProofRequired)):
            authorize(asked, VISITORS[visitor], CALLERS[caller])


@pytest.mark.parametrize(
    ("access", "visitor", "what_to_do"),
    [
        ("verified", "user", "ask with the visitor's `anonymous_id` alone"),
        ("verified", "user", "send an identity token whose `sub` is that id as `Authorization: Bearer <token>`"),
        ("verified", "guessable", "send an identity token whose `sub` is that id as `Authorization: Bearer <token>`"),
        ("verified", "user by another id", "only to servers"),
        ("verified", "user and random", "ask with the visitor's `anonymous_id` alone"),
        ("verified", "guessable", "only if it is a random UUID, as analytics.js makes them"),
    ],
)
def test_a_refusal_says_what_to_do(access: Access, visitor: str, what_to_do: str) -> None:
    """Every refusal names the header to send, and no id."""
    with pytest.raises(ProofRequired) as refused:
        authorize(asking(access), VISITORS[visitor], ANYBODY)
    sentence = str(refused.value)
    assert what_to_do in sentence
    assert "`Authorization: Bearer <key>`" in sentence
    assert not {"u1", UUID, "visitor-17"} & {*sentence.replace("`", " ").split()}
    assert (refused.value.status, refused.value.code, refused.value.label) == (403, "proof_required", "denied")


@pytest.mark.parametrize(("visitor", "caller"), [*itertools.product(VISITORS, CALLERS)])
def test_a_token_shows_no_more_than_it_names(visitor: str, caller: str) -> None:
    """Whoever has one for themselves has shown nothing about others; our own servers are believed."""
    expected = caller == "server" or visitor in SHOWN.get(caller, set())
    assert shown(VISITORS[visitor], CALLERS[caller]) is expected


def test_a_recipe_for_servers_asks_for_a_key() -> None:
    """Of who sends nothing; who proves to be a visitor is told that no visitor's proof would do."""
    with pytest.raises(BadCredentials, match="This is for servers: ask from a server with an API key as"):
        authorize(asking("server"), VISITORS["random"], ANYBODY)


def test_what_is_for_servers_is_for_those_with_a_key() -> None:
    """By its name, and for nobody else."""
    assert require_server(SERVER) == "web"
    with pytest.raises(BadCredentials, match="This is for servers: ask from"):
        require_server(ANYBODY)
    with pytest.raises(ProofRequired, match="an identity token does not do"):
        authorize(asking("server"), VISITORS["user"], CALLERS["the user"])
