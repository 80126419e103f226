"""Erasing people: what is cached of them goes, everywhere, before the answer says so."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from personalize.errors import NotErased
from personalize.model import Collection, ExternalId
from personalize.telemetry import logs
from personalize.trust import access
from personalize.web import params, responses
from personalize.web.desk import Desk

Forget: TypeAlias = Callable[[Collection, Iterable[ExternalId]], Awaitable[bool]]
"""Forgets a person in every tier and every replica; returns whether all of it was taken."""


class Erasure:
    """Erases people, and keeps account of it without saying who they were.

    Args:
        forget: forgets them.
        reaches_all: whether that reaches every process of the deployment.
    """

    def __init__(self, forget: Forget, *, reaches_all: bool) -> None:
        self._forget = forget
        self._reaches_all = reaches_all

    async def erase(self, people: Mapping[Collection, Sequence[ExternalId]], *, by: str, request: Request) -> None:
        """Forget people under these ids and those learnt together with them.

        Raises:
            NotErased: not all of it is forgotten; it can be tried again.
        """
        taken = self._reaches_all
        for collection, external_ids in people.items():
            taken = await self._forget(collection, external_ids) and taken
        count = sum(map(len, people.values()))
        if not taken:
            logs.person_not_erased(count, by, request.state.request_id)
            raise NotErased(
                "Redis did not take it: try again."
                if self._reaches_all
                else "Without PERSONALIZE_REDIS_URL this process cannot reach the others that remember."
            )
        logs.person_erased(count, by, request.state.request_id)


class ErasureAnswers:
    """`DELETE /api/profiles`, for our own servers.

    Args:
        desk: knows the callers, and which ids may be asked about.
        erasure: erases.
    """

    def __init__(self, desk: Desk, erasure: Erasure) -> None:
        self._desk = desk
        self._erasure = erasure

    async def delete(self, request: Request) -> Response:
        """Erase whom a query string names."""
        by = access.require_server(self._desk.caller(request))
        people = params.people(request.scope["query_string"], self._desk.rules)
        await self._erasure.erase(people, by=by, request=request)
        return responses.done()
