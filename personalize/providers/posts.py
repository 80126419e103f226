"""The provider `posts`: the posts of one or more blogs, polled. What each source is, its content tells."""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import msgspec

from personalize.errors import ProviderFailed
from personalize.model import Post, Posts
from personalize.providers.batch import Batch
from personalize.providers.categories import Uncategorized, categorized, is_uncategorized
from personalize.providers.documents import Documents
from personalize.providers.feed import read_feed
from personalize.providers.fetch import Document, Refused, without_secrets
from personalize.providers.jsonfeed import read_json_feed, read_own_posts
from personalize.providers.links import api_link, feed_link, is_page
from personalize.providers.poll import Polled
from personalize.providers.sources import Sources
from personalize.providers.wordpress import Api, WordPress, is_collection, is_root
from personalize.telemetry.metrics import Metrics

_JSON_FEED = "https://jsonfeed.org/version/1"


_CLOSED = {401, 403, 404, 410}
"""What an API answers that is not for everybody, or not there any more; pages go on naming it."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A page, whose posts are in WordPress's API that it names, else in the feed that it links."""

    api: Api | None
    feed: str | None


def posts_from(
    locations: Sequence[str], client: httpx.AsyncClient, metrics: Metrics, *, interval: float = 60.0
) -> Polled[Posts]:
    """Return the provider of all sources' posts; it polls while it is entered.

    Args:
        locations: http(s) URLs, `file://` URLs or file paths: of a feed, of a JSON file, of a blog or its API.
        client: what URLs are fetched with; it must outlive the provider.
        metrics: where loads and failures are counted.
        interval: seconds between two loads.
    """
    documents = Documents(client)
    sources = Sources({place: PostsSource(place, documents).read for place in locations}, _posts)
    return Polled("posts", sources.load, Posts(), metrics, interval=interval)


class PostsSource:
    """One source of posts.

    Args:
        location: where it is.
        documents: what reads it.
    """

    def __init__(self, location: str, documents: Documents) -> None:
        self._location = location
        self._documents = documents
        self._start: str | WordPress = location

    async def read(self) -> Batch[Post]:
        """Return its posts.

        Raises:
            ProviderFailed: it could not be read, or there is nothing at its place from which posts can be read.
        """
        start, self._start = self._start, self._location  # after a failure, what it is is found out anew
        batch, self._start = await self._read(start)
        return batch

    async def _read(self, start: str | WordPress, *, follow: bool = True) -> tuple[Batch[Post], str | WordPress]:
        """Return the posts, and where to read them the next time."""
        if isinstance(start, WordPress):
            return await start.posts(), start
        match await self._documents.read(start, posts_in):
            case Batch() as batch:
                return batch, start
            case Uncategorized() as feed:
                return await categorized(feed, self._documents), start
            case Api() as api:
                return await self._read(WordPress(api, self._documents))
            case Elsewhere() as linked if follow:
                return await self._follow(linked)
        raise ProviderFailed(f"{without_secrets(start)} is a page where a feed should be")

    async def _follow(self, linked: Elsewhere) -> tuple[Batch[Post], str | WordPress]:
        """Read what a page leads to: its feed if there is no API, or none for us."""
        if linked.api is not None:
            try:
                return await self._read(WordPress(linked.api, self._documents))
            except Refused as refused:
                if linked.feed is None or refused.answer not in _CLOSED:
                    raise
        return await self._read(linked.feed or "", follow=False)


def posts_in(document: Document) -> Batch[Post] | Uncategorized | Api | Elsewhere:
    """Return a document's posts, or where they are.

    Raises:
        ProviderFailed: it is nothing from which posts can be read.
    """
    if document.body.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in {b"{", b"["}:
        return _in_json(document)
    if is_page(document):
        return _linked(document)
    batch = read_feed(document)
    return Uncategorized(batch, document.location) if is_uncategorized(document, batch) else batch


def _in_json(document: Document) -> Batch[Post] | Api:
    try:
        value = msgspec.json.decode(document.body.removeprefix(codecs.BOM_UTF8))
    except (ValueError, RecursionError):  # what msgspec raises of its own is a ValueError too
        raise ProviderFailed(f"{document.shown} is not whole JSON") from None
    if is_root(value) or is_collection(value, document):
        return Api.at(document.location)
    match value:
        case {"version": str(version), "items": list(items)} if version.startswith(_JSON_FEED):
            return read_json_feed(items, document)
        case list(items):
            return read_own_posts(items, document)
    raise ProviderFailed(f"{document.shown} is neither a JSON Feed, nor a list of posts, nor WordPress's API")


def _linked(document: Document) -> Elsewhere:
    api, feed = api_link(document), feed_link(document)
    if api is None and feed is None:
        raise ProviderFailed(f"{document.shown} is a page that names neither a feed of its own nor WordPress's API")
    return Elsewhere(Api.at(api) if api else None, feed)


def _posts(batches: Sequence[Batch[Post]]) -> Posts:
    slugs = {slug: name for batch in reversed(batches) for slug, name in batch.slugs.items()}
    return Posts((post for batch in batches for post in batch.items), slugs=slugs)
