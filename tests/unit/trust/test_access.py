"""Access: who is asking, and what they may ask."""

import hashlib
import itertools

import pytest

from personalize.declare import Access, recipe
from personalize.errors import BadCredentials, ProofRequired
from personalize.model import Collection, Visitor
from personalize.registry import AnyRecipe
from personalize.testing import API_KEY
from personalize.trust.access import ANYBODY, Caller, authorize, identify, require_server
from personalize.trust.keys import ApiKeys
from tests.doubles import UUID

KEYS = ApiKeys([("web", hashlib.sha256(API_KEY.encode()).digest())])
SERVER = Caller(server="web")


def test_no_header_is_anybody() -> None:
    """A visitor's browser sends none."""
    assert identify(None, KEYS) == ANYBODY == Caller(server=None)


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
    assert identify(header, KEYS) == SERVER


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
        identify(header, KEYS)
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
    "account": Visitor(group_id="g1"),
    "account named by a UUID": Visitor(group_id=UUID),
    "nobody": Visitor(),
}
ACCESSES: tuple[Access, ...] = ("public", "verified", "server")
CALLERS = {"anybody": ANYBODY, "server": SERVER}


COLLECTIONS: tuple[Collection, ...] = ("users", "accounts")


def asking(access: Access, collection: Collection = "users") -> AnyRecipe:
    """Return a recipe of that access."""

    def nothing() -> None:
        """Say nothing."""

    return recipe("nothing", access=access, collection=collection)(nothing)


def allowed(access: Access, collection: Collection, visitor: str, caller: str) -> bool:
    """Return what the rules say: servers all, anybody the public, and of the rest only random visitors as users."""
    if caller == "server" or access == "public":
        return True
    return access == "verified" and collection == "users" and visitor in {"random", "random in capitals"}


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


def test_a_recipe_for_servers_asks_for_a_key() -> None:
    """No visitor's proof would do, so what is missing are credentials."""
    with pytest.raises(BadCredentials, match="This recipe is for servers: send an API key as `Authorization: Bearer"):
        authorize(asking("server"), VISITORS["random"], ANYBODY)


def test_what_is_for_servers_is_for_those_with_a_key() -> None:
    """By its name, and for nobody else."""
    assert require_server(SERVER) == "web"
    with pytest.raises(BadCredentials, match="send an API key"):
        require_server(ANYBODY)
