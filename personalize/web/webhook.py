"""The webhook: what Segment pushes is taken at once, and worked off behind the answer."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from personalize.cache.amendment import Amendment, Doubt
from personalize.cache.inbox import Inbox, Notice
from personalize.errors import BadSignature, Busy
from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics
from personalize.trust.ids import IdRules
from personalize.trust.signature import Signatures
from personalize.web import bodies, notices, responses
from personalize.web.erasure import Erasure
from personalize.web.notices import Said

MAX_BODY = 500 * 1024
"""Bytes of a body: what Segment allows for a batch."""

ERASED_AT_ONCE = 16
"""People of one call."""

SENDER = "segment"
"""Who erases, in the log, where it was no key of ours."""


class Reads(Protocol):
    """Says whether any recipe reads a computed trait, or an audience if that is what it is."""

    def __call__(self, trait: str, *, audience: bool) -> bool:
        """Return whether it is read."""
        ...


class Webhook:
    """`POST /webhooks/segment`.

    Nothing is believed that is not signed: of such calls only that something has changed. Nor are they heard at all
    behind a first call that is older than anything that is cached: whoever has seen one could send it for ever.

    Args:
        signatures: tell what is signed.
        erasure: erases people, before the answer.
        inbox: takes what has changed, for after the answer.
        rules: which ids may be asked about.
        reads: what recipes read; changes of anything else are nothing to us.
        window: seconds after which a call is too late: what is cached has been read since.
        metrics: counts messages by what they are about and what became of them.
        clock: the time in seconds since the epoch.
    """

    def __init__(  # noqa: PLR0913 -- what the composition root gives it
        self,
        signatures: Signatures,
        erasure: Erasure,
        inbox: Inbox,
        *,
        rules: IdRules,
        reads: Reads,
        window: float,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._signatures = signatures
        self._erasure = erasure
        self.inbox = inbox
        self._rules = rules
        self._reads = reads
        self._window = window
        self._metrics = metrics
        self._clock = clock

    async def post(self, request: Request) -> Response:
        """Take a call, or a batch of them."""
        body = await bodies.read(request, MAX_BODY)
        try:
            parts = self._signatures.parts(body, request.headers.get("X-Signature"))
        except BadSignature:
            logs.webhook_refused()
            self._metrics.webhook_messages.labels("other", "refused").inc()
            raise
        signed = [notices.read(one, self._rules) for one in parts.signed]
        unsigned = [notices.read(one, self._rules) for one in parts.unsigned]
        if deleted := [one for one in signed if one.kind == "delete" and one.external_ids]:
            await self._erase(deleted, request)
        found = [*self._signed(signed), *self._unsigned(unsigned, behind=signed[0])]
        if found and not self.inbox.put(found, len(body)):
            raise self._busy("Too many changes wait to be worked off.")
        return responses.status({"status": "accepted"}, 202)

    async def _erase(self, deleted: Sequence[Said], request: Request) -> None:
        """Erase people side by side, so that a whole batch of them is not longer under way than its sender waits."""
        gate = asyncio.Semaphore(ERASED_AT_ONCE)

        async def erase(one: Said) -> None:
            async with gate:
                await self._erasure.erase({"users": one.external_ids}, by=SENDER, request=request)
            self._metrics.webhook_messages.labels("delete", "erased").inc()

        for error in await asyncio.gather(*map(erase, deleted), return_exceptions=True):
            if error is not None:  # after all of them: what can be forgotten is
                raise error

    def _busy(self, detail: str) -> Busy:
        logs.webhook_busy()
        self._metrics.webhook_messages.labels("other", "busy").inc()
        return Busy(detail)

    def _signed(self, said: list[Said]) -> Iterator[Notice]:
        for one in said:
            erased = one.kind == "delete" and one.external_ids
            if not erased and self._concerns(one, one.at):
                amendment: Amendment = one.change or Doubt()
                yield Notice(one.kind, one.external_ids, amendment)

    def _unsigned(self, said: list[Said], behind: Said) -> Iterator[Notice]:
        for one in said:
            if self._concerns(one, -math.inf if behind.at is None else behind.at):
                yield Notice(one.kind, one.external_ids, Doubt())

    def _concerns(self, one: Said, at: float | None) -> bool:
        """Whether a message may change anything here; one that may not is counted with the reason."""
        if one.kind == "other" or not one.external_ids:
            reason = "ignored"
        elif at is not None and at < self._clock() - self._window:
            reason = "late"
        elif one.trait is not None and not self._reads(one.trait, audience=one.kind == "audience"):
            reason = "unread"
        else:
            return True
        self._metrics.webhook_messages.labels(one.kind, reason).inc()
        return False
