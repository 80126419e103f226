"""Serving while recipes are edited: which edits count, what goes on serving, and that no request is dropped."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message
from structlog.testing import capture_logs

from personalize.app.application import Application
from personalize.errors import RecipeLoadError
from personalize.reloading import Reloading, edits, hangups


class Bench:
    """A reloading service whose applications and edits are a test's, and what it opened and closed."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.makes: list[Application | Exception] = []
        self._edits: asyncio.Queue[Exception | None] = asyncio.Queue()
        self.service = Reloading(self.app("first"), self._make, self._edited)

    def app(self, name: str, answer: Callable[[], object] | None = None, error: Exception | None = None) -> Application:
        """Return an application that answers its name; it cannot be opened if there is an error."""

        async def say(_: Request) -> Response:
            if answer is not None:
                await answer()  # type: ignore[misc]  # a coroutine function
            return PlainTextResponse(name)

        @asynccontextmanager
        async def lifespan(_: Application) -> AsyncIterator[None]:
            if error is not None:
                raise error
            self.happened.append(f"{name} opens")
            yield
            self.happened.append(f"{name} closes")

        return Application(routes=[Route("/", say)], lifespan=lifespan)

    async def edit(self, made: Application | Exception) -> None:
        """Edit, and wait until that is dealt with."""
        self.makes.append(made)
        await self._edits.put(None)
        await self._edits.join()

    def _make(self) -> Application:
        made = self.makes.pop(0)
        if isinstance(made, Exception):
            raise made
        return made

    async def _edited(self) -> AsyncIterator[object]:
        while True:
            yield await self._edits.get()
            self._edits.task_done()


@pytest.fixture
def bench() -> Bench:
    return Bench()


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the service, whose lifespan is as a server has it."""
    said: asyncio.Queue[Message] = asyncio.Queue()
    heard: asyncio.Queue[Message] = asyncio.Queue()
    living = asyncio.create_task(bench.service({"type": "lifespan"}, heard.get, said.put))
    await heard.put({"type": "lifespan.startup"})
    assert (await said.get())["type"] == "lifespan.startup.complete"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(bench.service), base_url="http://t") as client:
        yield client
    await heard.put({"type": "lifespan.shutdown"})
    assert (await said.get())["type"] == "lifespan.shutdown.complete"
    await living


async def answered(client: httpx.AsyncClient) -> str:
    return (await client.get("/")).text


async def test_an_edit_counts_from_the_next_request(bench: Bench) -> None:
    """The new application is open before the old one closes, and the last one closes with the service."""
    async with running(bench) as client:
        assert await answered(client) == "first"
        await bench.edit(bench.app("second"))
        assert await answered(client) == "second"
        await bench.edit(bench.app("third"))
        assert await answered(client) == "third"
    assert bench.happened[:2] == ["first opens", "second opens"]
    assert bench.happened[-1] == "third closes"
    assert sorted(bench.happened) == sorted(
        f"{name} {what}" for name in ("first", "second", "third") for what in ("opens", "closes")
    )


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (RecipeLoadError("mine.py:3", "NameError"), {"event": "edit_refused", "reason": "mine.py:3: NameError"}),
        (LookupError("canary"), {"event": "edit_broke", "error": "LookupError"}),
    ],
)
@pytest.mark.parametrize("when", ["made", "opened"])
async def test_a_broken_edit_leaves_the_last_good_one_serving(
    bench: Bench, wrong: Exception, told: dict[str, str], when: str
) -> None:
    """One message says what is wrong; of what is not ours only the place. The edit that mends it counts."""
    async with running(bench) as client:
        with capture_logs() as events:
            await bench.edit(wrong if when == "made" else bench.app("broken", error=wrong))
        assert await answered(client) == "first"
        [event] = events
        assert told.items() <= event.items()
        assert "canary" not in str(event)
        await bench.edit(bench.app("mended"))
        assert await answered(client) == "mended"
    assert bench.happened[-1] == "mended closes"


async def test_a_request_under_way_is_answered_by_whom_it_was_asked(bench: Bench) -> None:
    """Which stays open until then."""
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        began.set()
        await go_on.wait()

    async with running(bench) as client:
        await bench.edit(bench.app("slow", slowly))
        asked = asyncio.create_task(answered(client))
        await began.wait()
        await bench.edit(bench.app("quick"))
        assert await answered(client) == "quick"
        assert "slow closes" not in bench.happened
        go_on.set()
        assert await asked == "slow"
    assert bench.happened.index("slow closes") > bench.happened.index("quick opens")


async def test_what_cannot_be_opened_at_the_start_stops_it() -> None:
    """As without reloading."""
    bench = Bench()
    bench.service = Reloading(bench.app("broken", error=LookupError()), bench._make, bench._edited)
    said: list[Message] = []

    async def startup() -> Message:
        return {"type": "lifespan.startup"}

    async def say(message: Message) -> None:
        said.append(message)

    with pytest.raises(LookupError):
        await bench.service({"type": "lifespan"}, startup, say)
    assert [message["type"] for message in said] == ["lifespan.startup.failed"]


async def test_edits_are_those_of_the_files_that_count(tmp_path: Path) -> None:
    """Written, new and removed ones; whatever else happens beside them is none."""
    mine, new, notes = (tmp_path / name for name in ("mine.py", "new.py", "notes.txt"))
    mine.write_text("")
    seen: asyncio.Queue[set[str]] = asyncio.Queue()

    async def watch() -> None:
        async for changes in edits(lambda: tmp_path.glob("*.py")):
            await seen.put({Path(path).name for _, path in changes})

    async def edit(change: Callable[[], object], name: str) -> None:
        """Make a change and wait until it is seen; one may come as several."""
        change()
        async with asyncio.timeout(10):
            while name not in (names := await seen.get()):
                assert names & {"mine.py", "new.py"}

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)  # its first step begins the watch
    try:
        await edit(lambda: mine.write_text("# edited"), "mine.py")
        await edit(lambda: new.write_text(""), "new.py")
        notes.write_text("")
        await edit(mine.unlink, "mine.py")
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_a_hangup_is_an_edit() -> None:
    """Several at once may be one, and none ends the process; afterwards the signal is what it was."""
    heard = hangups()
    first = asyncio.ensure_future(anext(heard))
    await asyncio.sleep(0)
    signal.raise_signal(signal.SIGHUP)
    await asyncio.wait_for(first, 5)
    again = asyncio.ensure_future(anext(heard))
    await asyncio.sleep(0)
    signal.raise_signal(signal.SIGHUP)
    await asyncio.wait_for(again, 5)
    await heard.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
