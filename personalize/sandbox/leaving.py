"""Leaving: what waits on purpose is not waited for when the sandbox is told to stop."""

import asyncio
from contextlib import suppress


class Leaving:
    """Whether the sandbox is to stop."""

    def __init__(self) -> None:
        self._told = asyncio.Event()

    def begin(self) -> None:
        """End all waiting, and let nobody wait any more."""
        self._told.set()

    async def wait(self, seconds: float) -> None:
        """Wait for some seconds, or until it is to stop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._told.wait()
