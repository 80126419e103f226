"""Serving while recipes are edited: an edit makes a new application, a broken one leaves the last good one serving.

A hangup, by which an operator asks for the same, counts as an edit.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGHUP

from starlette.routing import Router
from starlette.types import Receive, Scope, Send
from watchfiles import awatch
from watchfiles.main import FileChange

from personalize.app.application import Application
from personalize.errors import ConfigurationError
from personalize.telemetry import logs
from personalize.web.warm import Reply


class Reloading:
    """The service as an application that is made anew with every edit.

    The new one is opened beside the old one, which closes when it has answered its last request: none is dropped, and
    at every moment there is one that answers.

    Args:
        first: the application as it was made at the start.
        make: returns one of what the files say now; raises what is wrong with them.
        edits: each yields whenever they say something else, or may do so.
    """

    def __init__(
        self, first: Application, make: Callable[[], Application], *edits: Callable[[], AsyncIterator[object]]
    ) -> None:
        self._make = make
        self._edits = edits
        self._current = _Opened(first)
        self._outer = Router(lifespan=self._lifespan)
        self._making = asyncio.Lock()
        self._living: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the newest application that is open."""
        await (self._outer if scope["type"] == "lifespan" else self._current)(scope, receive, send)

    def at_once(self, scope: Scope) -> Reply | None:
        """Return the newest one's answer to a request, if it has it at once."""
        return self._current.app.at_once(scope)

    @asynccontextmanager
    async def _lifespan(self, _: object) -> AsyncIterator[None]:
        await self._open(self._current)
        following = [asyncio.create_task(self._follow(one), name="edits") for one in self._edits]
        try:
            yield
        finally:
            for one in following:
                one.cancel()
            self._current.retire()
            await asyncio.gather(*following, *self._living, return_exceptions=True)

    async def _open(self, one: "_Opened") -> None:
        """Open an application; raise what keeps it from that."""
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        living = asyncio.create_task(one.live(opened), name="application")
        self._living.add(living)
        living.add_done_callback(self._living.discard)
        await opened

    async def _follow(self, edits: Callable[[], AsyncIterator[object]]) -> None:
        """Replace the application with every edit."""
        async for _ in edits():
            async with self._making:
                await self._replace()

    async def _replace(self) -> None:
        """Put a new application in place of the present one.

        An edit is foreign code in the making, and so are the providers that are opened with it: whatever it raises,
        the last good application goes on.
        """
        try:
            edited = _Opened(self._make())
            await self._open(edited)
        except ConfigurationError as error:
            logs.edit_refused(str(error))
        except Exception as error:  # noqa: BLE001 -- the boundary
            logs.edit_broke(error)
        else:
            self._current.retire()
            self._current = edited
            logs.edit_served()


class _Opened:
    """An application that stays open until it is retired and has answered its last request."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self._under_way = 0
        self._retired = False
        self._done = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._under_way += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._under_way -= 1
            self._look()

    async def live(self, opened: "asyncio.Future[None]") -> None:
        """Enter and leave the lifespan in one task, as what is opened there may want, and tell when it is entered."""
        try:
            async with self.app.router.lifespan_context(self.app):
                opened.set_result(None)
                await self._done.wait()
        except Exception as error:
            if opened.done():
                raise
            opened.set_exception(error)

    def retire(self) -> None:
        """Take no more requests."""
        self._retired = True
        self._look()

    def _look(self) -> None:
        if self._retired and not self._under_way:
            self._done.set()


async def hangups() -> AsyncIterator[None]:
    """Yield whenever this process is sent SIGHUP, which then ends it no more; several at once may count as one."""
    hung_up, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(SIGHUP, hung_up.set)
    try:
        while True:
            await hung_up.wait()
            hung_up.clear()
            yield
    finally:
        loop.remove_signal_handler(SIGHUP)


async def edits(files: Callable[[], Iterable[Path]]) -> AsyncIterator[set[FileChange]]:
    """Yield what happened whenever files are written, come or go.

    Args:
        files: returns what there is now; their folders are those of the first time.
    """
    known = {file.resolve() for file in files()}
    async for changes in awatch(*{file.parent for file in known}, recursive=False, watch_filter=None):
        before, known = known, {file.resolve() for file in files()}
        if (before | known) & {Path(path) for _, path in changes}:
            yield changes
