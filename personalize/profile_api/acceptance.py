"""Acceptance: whether Segment takes our access token; while it does not, it is hardly asked."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from personalize.errors import AuthenticationFailed
from personalize.profile_api.gate import Gate
from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics

PROBE_SECONDS = 10.0
"""Between two calls with a token that was refused."""


class Acceptance:
    """After a refusal the token is read again, at once and before each probe; if it has changed, calls go on.

    Args:
        reread: reads the token again; whether it has changed.
        metrics: shows a token that is refused.
        clock: the time in seconds.
    """

    def __init__(self, reread: Callable[[], Awaitable[bool]], *, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._reread = reread
        self._gate = Gate(PROBE_SECONDS, clock)
        self._rejected = False
        metrics.watch(metrics.access_token_rejected, lambda: self._rejected)

    @property
    def accepted(self) -> bool:
        """Whether nothing is known against the token."""
        return not self._rejected

    def admits(self) -> bool:
        """Whether a call may be sent now: nothing is known against the token, or a probe is due."""
        return self._gate.admits()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Judge the token by how the block ends. What was sent with an earlier one no longer counts."""
        with self._gate.entered():
            if self._gate.barred:
                await self._renew()
            era = self._gate.era
            try:
                yield
            except AuthenticationFailed:
                if era == self._gate.era:
                    await self._refused()
                raise
            if era == self._gate.era:
                self._accepted()

    async def _refused(self) -> None:
        if self._gate.barred:
            return  # a probe: its token was read a moment ago
        self._gate.bar()
        self._rejected = True
        logs.access_token_rejected()
        await self._renew()

    async def _renew(self) -> None:
        """Read the token again; one that has changed is tried by everybody."""
        if await self._reread() and self._gate.barred:
            self._gate.lift()

    def _accepted(self) -> None:
        if self._gate.barred:
            self._gate.lift()
        if self._rejected:
            self._rejected = False
            logs.access_token_accepted()
