"""The sandbox as one ASGI app, put together."""

from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from personalize.sandbox import ACCESS_TOKEN, DEFAULT_URL, SERVICE_URL, SPACE, WRITE_KEY, declarations, moments
from personalize.sandbox.answers import Refused, answering, refused
from personalize.sandbox.budget import Budget
from personalize.sandbox.calls import Calls, Recorded
from personalize.sandbox.clocks import MovableClock
from personalize.sandbox.computed import Computations
from personalize.sandbox.control import ControlApi
from personalize.sandbox.demo import content
from personalize.sandbox.demo.site import Site
from personalize.sandbox.dropped import Dropped
from personalize.sandbox.failsafe import Failsafe
from personalize.sandbox.faults import Faults
from personalize.sandbox.faulty import Faulty
from personalize.sandbox.history import History
from personalize.sandbox.journal import Journal
from personalize.sandbox.leaving import Leaving
from personalize.sandbox.moments import Clock
from personalize.sandbox.pusher import Pusher, Target, Transport
from personalize.sandbox.rawpath import RawPaths
from personalize.sandbox.reading import ProfileApi
from personalize.sandbox.seed import Seed
from personalize.sandbox.store import Store
from personalize.sandbox.tracking import TrackingApi
from personalize.sandbox.webhook import Webhook

if TYPE_CHECKING:
    from personalize.sandbox.demo.login import Login

RATE_LIMIT = 100
"""Requests a second, as the Profile API documentation says of every space."""


def create_sandbox(  # noqa: PLR0913 - each has a default, and is for a caller who wants that one thing otherwise
    *,
    space: str = SPACE,
    access_token: str = ACCESS_TOKEN,
    write_key: str = WRITE_KEY,
    base_url: str = DEFAULT_URL,
    service_url: str = SERVICE_URL,
    login: tuple[str, str] | None = None,
    database: str = ":memory:",
    history: Iterable[bytes] = (),
    clock: Clock = moments.utc_now,
    rate_limit: float = RATE_LIMIT,
    webhook_url: str | None = None,
    webhook_secret: str | None = None,
    post: Transport | None = None,
) -> Starlette:
    """Return a local stand-in for Segment, with a demo blog and shop whose visitors it tracks.

    Its `state.leave` is to be called when it is told to stop: then no fault holds up an answer any more.

    Args:
        space: the id of the one space that its Profile API has.
        access_token: the Profile API's Basic username.
        write_key: the Tracking API's Basic username; it is also in the demo pages.
        base_url: where the app will be served, for the URLs in the seeded visitors' events.
        service_url: the personalization service that the demo pages ask.
        login: the name and the secret of the key by which that service believes the demo who has logged in there.
        database: an SQLite file, which keeps its profiles from one start to the next, or `:memory:`.
        history: lines of JSON, each a Tracking call with its `type`, to apply before anybody asks, and again after a
            reset; nothing is pushed.
        clock: returns the time as an aware datetime.
        rate_limit: how many requests a second the Profile API takes; 0 is no limit.
        webhook_url: where changes of computed traits and audiences are pushed to, as Segment's webhooks do.
        webhook_secret: signs them.
        post: carries them in place of the network.

    Raises:
        sqlite3.Error: the database cannot be opened.
        ValueError: the database is in use or another version's (`UnusableFile`), the webhook's URL is none, or a line
            of the history is no call (`WrongLine`).
    """
    store, calls, faults, leaving = Store(database), Calls(), Faults(), Leaving()
    things = content.load()
    time, dropped = MovableClock(clock), Dropped(clock)
    computations = Computations(store, time, declarations.load())
    pusher = Pusher(Target(webhook_url, webhook_secret) if webhook_url else None, post)
    journal = Journal(store, time, computations, Webhook(store, computations, pusher, time, space=space).tell)
    quiet = Journal(store, time, computations)
    seed = Seed(store, quiet, time, things, base_url.rstrip("/"))
    site = Site(things, service_url=service_url.rstrip("/"), write_key=write_key, login=_login(login), clock=clock)
    past = History(history, quiet)
    with ExitStack() as undo:
        undo.callback(store.close)
        if store.is_empty():
            seed.sow()
        past.replay()
        undo.pop_all()

    def start_over() -> None:
        seed.sow()
        past.replay()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with pusher.running():
            yield
        store.close()

    # A moved clock is for profiles; a request's second, and when it came, stay what they are.
    profiles = ProfileApi(store, time, Budget(rate_limit, clock), space=space, access_token=access_token)
    tracking = TrackingApi(journal, dropped, write_key=write_key)
    segment = {
        prefix: Recorded(Failsafe(Faulty(answering(api.answer), faults, wait=leaving.wait)), calls, clock)
        for prefix, api in ((b"/v1/spaces/", profiles), (b"/v1/", tracking))
    }
    control = ControlApi(
        calls=calls,
        dropped=dropped,
        faults=faults,
        clock=time,
        pusher=pusher,
        start_over=start_over,
        catch_up=journal.catch_up,
    )
    app = Starlette(
        routes=[Mount("/sandbox", routes=control.routes()), *site.routes()],
        middleware=[Middleware(Failsafe), Middleware(RawPaths, segment)],
        exception_handlers={404: site.lost, Refused: refused},
        lifespan=lifespan,
    )
    app.state.leave = leaving.begin
    return app


def _login(key: tuple[str, str] | None) -> "Login | None":
    """Return what vouches for who has logged in, by the name and the secret of a key."""
    if key is None:
        return None
    from personalize.sandbox.demo.login import Login  # noqa: PLC0415 -- cryptography, for a sandbox with a service alone

    return Login(*key)
