"""Access: who asks, and may they ask this recipe about this visitor? Decided before anything is read about anybody."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from personalize.errors import BadCredentials, ProofRequired
from personalize.model import ExternalId, Visitor
from personalize.registry import AnyRecipe
from personalize.trust.identity import IdentityTokens
from personalize.trust.keys import ApiKeys

_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)

# RFC 9562, versions 4 and 7: their random bits cannot be guessed, while other versions tell a time and a machine.
# analytics.js and the mobile libraries make anonymous ids of version 4.
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)

_AS_SERVER = "ask from a server with an API key as `Authorization: Bearer <key>`"
_AS_VISITOR = "send an identity token whose `sub` is that id as `Authorization: Bearer <token>`"
_MISSING = {
    "user_id": (
        f"This recipe answers about a `user_id` only with proof: {_AS_VISITOR}; {_AS_SERVER}; or ask with the "
        "visitor's `anonymous_id` alone."
    ),
    "anonymous_id": (
        "This recipe answers about an `anonymous_id` only if it is a random UUID, as analytics.js makes them, and no "
        f"token names another one; or with proof: {_AS_VISITOR}; {_AS_SERVER}."
    ),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: one of our own servers, by its key's name; a visitor, by the id that a token proves; or anybody."""

    server: str | None = None
    proven: ExternalId | None = None


ANYBODY = Caller()


class Callers:
    """Tells who asks, by what a request's `Authorization` header carries.

    Args:
        keys: recognises our own servers.
        tokens: recognises visitors.
    """

    def __init__(self, keys: ApiKeys, tokens: IdentityTokens) -> None:
        self._keys = keys
        self._tokens = tokens

    def identify(self, authorizations: Sequence[str]) -> Caller:
        """Return who sent a request with these `Authorization` headers (RFC 6750: `Bearer`, then a key or a token).

        Raises:
            BadCredentials: one is there and proves nothing: a broken proof must not pass for an anonymous visitor.
        """
        if not authorizations:
            return ANYBODY
        if len(authorizations) > 1:
            raise BadCredentials("There is more than one `Authorization` header.")
        match = _BEARER.fullmatch(authorizations[0].strip())
        if match is None:
            raise BadCredentials("The `Authorization` header is not of the form `Bearer <key or token>`.")
        server = self._keys.name_of(match[1])
        return Caller(server=server) if server is not None else Caller(proven=self._tokens.subject_of(match[1]))


def require_server(caller: Caller) -> str:
    """Return the name of the key by which one of our own servers asks.

    Raises:
        BadCredentials: nobody says to be anyone.
        ProofRequired: a visitor says so.
    """
    if caller.server is None:
        raise _for_servers(caller)
    return caller.server


def authorize(recipe: AnyRecipe, visitor: Visitor, caller: Caller) -> None:
    """Let a caller ask a recipe about a visitor.

    Raises:
        BadCredentials: the recipe is for servers, and nobody says to be anyone.
        ProofRequired: says what is missing, and nothing about whether the visitor exists.
    """
    if caller.server is not None or recipe.access == "public":
        return
    if recipe.access == "server" or recipe.collection == "accounts":  # no visitor can prove to be an account
        raise _for_servers(caller)
    if visitor.external_id is not None:
        raise ProofRequired(f"This recipe answers about an `external_id` only to servers: {_AS_SERVER}.")
    ids = visitor.external_ids("users")
    for one in ids or [ExternalId("anonymous_id", "")]:
        if not _is_theirs(one, caller):
            raise ProofRequired(_MISSING[one.type])


def shown(visitor: Visitor, caller: Caller) -> bool:
    """Whether a caller has shown that a visitor's ids are one person's: our own servers know, a visitor by a token.

    A good token says nothing about ids of others beside it, and those that anybody may ask about need none.
    """
    if caller.server is not None or caller.proven is None:
        return caller.server is not None
    ids = visitor.external_ids("users")
    return caller.proven in ids and all(_is_theirs(one, caller) for one in ids)


def _for_servers(caller: Caller) -> BadCredentials | ProofRequired:
    if caller == ANYBODY:
        return BadCredentials(f"This is for servers: {_AS_SERVER}.")
    return ProofRequired(f"This is for servers, and an identity token does not do: {_AS_SERVER}.")


def _is_theirs(one: ExternalId, caller: Caller) -> bool:
    """Whether an id may be taken for the caller's own: it is proven, or nobody else could have guessed it."""
    if one == caller.proven:
        return True
    names_another = caller.proven is not None and caller.proven.type == "anonymous_id"
    return one.type == "anonymous_id" and not names_another and _UUID.fullmatch(one.value) is not None
