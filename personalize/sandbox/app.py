"""The sandbox as one ASGI app, put together."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp

from personalize.sandbox import moments
from personalize.sandbox.answers import answering
from personalize.sandbox.calls import Calls, Recorded
from personalize.sandbox.control import ControlApi
from personalize.sandbox.demo import content
from personalize.sandbox.demo.site import Site
from personalize.sandbox.journal import Journal
from personalize.sandbox.moments import Clock
from personalize.sandbox.rawpath import RawPaths
from personalize.sandbox.reading import ProfileApi
from personalize.sandbox.seed import Seed
from personalize.sandbox.store import Store
from personalize.sandbox.tracking import TrackingApi

SPACE = "sandbox"
ACCESS_TOKEN = "sandbox-token"  # noqa: S105 - it opens nothing but this sandbox, and is printed in its documentation
WRITE_KEY = "sandbox-write-key"
DEFAULT_URL = "http://127.0.0.1:8100"
SERVICE_URL = "http://127.0.0.1:8000"


def create_sandbox(
    *,
    space: str = SPACE,
    access_token: str = ACCESS_TOKEN,
    write_key: str = WRITE_KEY,
    base_url: str = DEFAULT_URL,
    service_url: str = SERVICE_URL,
    database: str = ":memory:",
    clock: Clock = moments.utc_now,
) -> Starlette:
    """Return a local stand-in for Segment, with a demo blog and shop whose visitors it tracks.

    Args:
        space: the id of the one space that its Profile API has.
        access_token: the Profile API's Basic username.
        write_key: the Tracking API's Basic username; it is also in the demo pages.
        base_url: where the app will be served, for the URLs in the seeded visitors' events.
        service_url: the personalization service that the demo pages ask.
        database: an SQLite file, which keeps its profiles from one start to the next, or `:memory:`.
        clock: returns the time as an aware datetime.

    Raises:
        sqlite3.Error: the database cannot be opened.
    """
    store, calls, things = Store(database), Calls(), content.load()
    journal = Journal(store, clock)
    seed = Seed(store, journal, clock, things, base_url.rstrip("/"))
    site = Site(things, service_url=service_url.rstrip("/"), write_key=write_key)
    if store.is_empty():
        seed.sow()

    def api(answer: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
        return Recorded(answering(answer), calls, clock)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        store.close()

    segment = {
        b"/v1/spaces/": api(ProfileApi(store, clock, space=space, access_token=access_token).answer),
        b"/v1/": api(TrackingApi(journal, write_key=write_key).answer),
    }
    return Starlette(
        routes=[Mount("/sandbox", routes=ControlApi(calls, seed.sow).routes()), *site.routes()],
        middleware=[Middleware(RawPaths, segment)],
        exception_handlers={404: site.lost},
        lifespan=lifespan,
    )
