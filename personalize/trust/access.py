"""Access: may this caller ask this recipe about this visitor? Decided before anything is read about anybody."""

import re
from dataclasses import dataclass

from personalize.errors import BadCredentials, ProofRequired
from personalize.model import Visitor
from personalize.registry import AnyRecipe
from personalize.trust.keys import ApiKeys

_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)

# RFC 9562, versions 4 and 7: their random bits cannot be guessed, while other versions tell a time and a machine.
# analytics.js and the mobile libraries make anonymous ids of version 4.
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: one of our own servers, by its key's name, or anybody."""

    server: str | None = None


ANYBODY = Caller()


def identify(authorization: str | None, keys: ApiKeys) -> Caller:
    """Return who sent an `Authorization` header (RFC 6750: `Bearer`, then the key).

    Raises:
        BadCredentials: it is there and proves nothing: a broken key must not pass for an anonymous visitor.
    """
    if authorization is None:
        return ANYBODY
    match = _BEARER.fullmatch(authorization.strip())
    if match is None:
        raise BadCredentials("The `Authorization` header is not of the form `Bearer <key>`.")
    return Caller(server=keys.name_of(match[1]))


def require_server(caller: Caller) -> str:
    """Return the name of the key by which one of our own servers asks.

    Raises:
        BadCredentials: it is none of them.
    """
    if caller.server is None:
        raise BadCredentials("This is for servers: send an API key as `Authorization: Bearer <key>`.")
    return caller.server


def authorize(recipe: AnyRecipe, visitor: Visitor, caller: Caller) -> None:
    """Let a caller ask a recipe about a visitor.

    Raises:
        BadCredentials: the recipe is for servers, and nobody says to be one.
        ProofRequired: says what is missing, and nothing about whether the visitor exists.
    """
    if caller.server is not None or recipe.access == "public":
        return
    if recipe.access == "server" or recipe.collection == "accounts":  # no visitor can prove to be an account
        raise BadCredentials("This recipe is for servers: send an API key as `Authorization: Bearer <key>`.")
    if visitor.user_id is not None or visitor.external_id is not None:
        raise ProofRequired(
            "This recipe answers about a `user_id` or `external_id` only with proof: ask from a server with an API key "
            "as `Authorization: Bearer <key>`, or ask with the visitor's `anonymous_id` alone."
        )
    if visitor.anonymous_id is None or _UUID.fullmatch(visitor.anonymous_id) is None:
        raise ProofRequired(
            "This recipe answers about an `anonymous_id` only if it is a random UUID, as analytics.js makes them; "
            "otherwise ask from a server with an API key as `Authorization: Bearer <key>`."
        )
