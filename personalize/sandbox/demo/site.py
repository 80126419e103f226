"""The demo site's routes."""

import hashlib
from typing import TYPE_CHECKING, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from personalize.sandbox.answers import json
from personalize.sandbox.demo import feed, images
from personalize.sandbox.demo.content import Content, Post, Product
from personalize.sandbox.demo.markup import Templates
from personalize.sandbox.demo.pages import Pages
from personalize.sandbox.moments import Clock

if TYPE_CHECKING:
    from personalize.sandbox.demo.login import Login

T = TypeVar("T")


class Site:
    """Serves the blog and the shop. Links are absolute where they leave the site, from the request's own base.

    Args:
        content: what there is to show.
        service_url: where personalize.js is, and what it asks.
        write_key: what the script tracks with.
        login: vouches for who has logged in, if the service knows its secret.
        clock: returns the time as an aware datetime.
    """

    def __init__(
        self, content: Content, *, service_url: str, write_key: str, login: "Login | None", clock: Clock
    ) -> None:
        self._content = content
        self._login = login
        self._clock = clock
        self._templates = Templates()
        self._pages = Pages(content, self._templates, service_url=service_url, write_key=write_key)

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the site."""
        return [
            Route("/", self.home),
            Route(feed.PATH, self.feed),
            Route("/blog/{slug}", self.post),
            Route("/login/token", self.token),
            Route("/shop", self.shop),
            Route("/shop/products.json", self.products),
            Route("/shop/images/{product_id}.svg", self.image),
            Route("/shop/{product_id}", self.product),
            Mount("/static", StaticFiles(packages=[(__package__, "static")])),
        ]

    async def home(self, _request: Request) -> Response:
        """Answer with the front page."""
        return HTMLResponse(self._pages.home())

    async def post(self, request: Request) -> Response:
        """Answer with a post."""
        return HTMLResponse(self._pages.post(self._post(request), _base_url(request)))

    async def token(self, _request: Request) -> Response:
        """Answer with an identity token of who has logged in."""
        token = _found(self._login).token(self._clock())
        return PlainTextResponse(token, headers={"Cache-Control": "no-store"})

    async def shop(self, _request: Request) -> Response:
        """Answer with all products."""
        return HTMLResponse(self._pages.shop())

    async def product(self, request: Request) -> Response:
        """Answer with a product."""
        return HTMLResponse(self._pages.product(self._product(request), _base_url(request)))

    async def image(self, request: Request) -> Response:
        """Answer with a product's picture."""
        return Response(images.svg(self._product(request), self._templates), media_type=images.MEDIA_TYPE)

    async def products(self, request: Request) -> Response:
        """Answer with all products as JSON: the members of `Product Viewed`, and a description."""
        base_url = _base_url(request)
        return json(
            [
                product.viewed(base_url) | {"description": product.description}
                for product in self._content.products.values()
            ]
        )

    async def feed(self, request: Request) -> Response:
        """Answer with the blog's feed, or with 304 for the version that the caller has."""
        body = feed.rss(self._content.posts.values(), _base_url(request))
        etag = f'"{hashlib.blake2s(body, digest_size=12).hexdigest()}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"ETag": etag})
        return Response(body, headers={"ETag": etag}, media_type=feed.MEDIA_TYPE)

    async def lost(self, _request: Request, _error: Exception) -> Response:
        """Answer for a page that is not there."""
        return HTMLResponse(self._pages.lost(), status_code=404)

    def _post(self, request: Request) -> Post:
        return _found(self._content.posts.get(request.path_params["slug"]))

    def _product(self, request: Request) -> Product:
        return _found(self._content.products.get(request.path_params["product_id"]))


def _found(item: T | None) -> T:
    if item is None:
        raise HTTPException(404)
    return item


def _base_url(request: Request) -> str:
    return str(request.base_url).rstrip("/")
