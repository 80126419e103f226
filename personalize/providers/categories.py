"""Feeds of single categories, for blogs whose own feed does not name them: Hugo's."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote, urljoin, urlsplit

import msgspec

from personalize.errors import ProviderFailed
from personalize.model import Post
from personalize.providers.batch import Batch
from personalize.providers.documents import Documents
from personalize.providers.feed import MAX_POSTS, read_feed
from personalize.providers.fetch import Document, Refused, is_web

MAX_CATEGORIES = 50
"""Categories whose feeds are read: as many requests a poll, most of them answered with 304."""

MAX_FOLDERS = 3
"""Folders, from the feed's own upwards, in which the feed of all categories is looked for."""

_GENERATOR = re.compile(rb"<generator>\s*Hugo\b", re.IGNORECASE)
_ABSENT = {404, 410}


@dataclass(frozen=True, slots=True)
class Uncategorized:
    """A feed of Hugo's default template, whose categories have feeds of their own."""

    batch: Batch[Post]
    location: str


def is_uncategorized(document: Document, batch: Batch[Post]) -> bool:
    """Whether the feeds of categories have to be asked for what belongs where."""
    nameless = not any(post.categories for post in batch.items)
    return nameless and is_web(document.location) and _GENERATOR.search(document.body) is not None


async def categorized(feed: Uncategorized, documents: Documents) -> Batch[Post]:
    """Return a feed's posts with their categories, and the posts that only the categories' feeds have.

    Hugo lists the categories in `categories/index.xml`, and each one's posts in `categories/<name>/index.xml`. Of what
    the list says only names are taken: whoever writes it does not choose which hosts are asked.

    A category whose feed is away keeps the posts that it had; one of which nothing was read yet has none for now.

    Raises:
        ProviderFailed: the list could not be read, for another reason than that there is none.
    """
    index = await _index(feed.location, documents)
    if index is None:
        return feed.batch
    location, listed = index
    posts = {post.url: post for post in feed.batch.items}
    names: dict[str, list[str]] = {}
    slugs: dict[str, str] = {}
    for slug, category in islice(_slugs(listed.items), MAX_CATEGORIES):
        slugs[unquote(slug)] = category
        members = await _members(urljoin(location, f"./{slug}/index.xml"), documents)  # a folder may be called `file:`
        for post in members.items if members else ():
            posts.setdefault(post.url, post)
            names.setdefault(post.url, []).append(category)
    complete = (msgspec.structs.replace(post, categories=tuple(names.get(url, ()))) for url, post in posts.items())
    return Batch(tuple(islice(complete, MAX_POSTS)), feed.batch.left_out, slugs)


async def _index(feed: str, documents: Documents) -> tuple[str, Batch[Post]] | None:
    """Return the feed that lists the categories, and where it is."""
    folders = (urljoin(feed, f"{'../' * up}categories/index.xml") for up in range(MAX_FOLDERS))
    for location in dict.fromkeys(folders):
        if (listed := await _read(location, documents)) is not None:
            return location, listed
    return None


def _slugs(listed: Iterable[Post]) -> Iterable[tuple[str, str]]:
    """Yield the folder and the name of each category that a list leads to."""
    for one in listed:
        slug = urlsplit(one.url).path.rstrip("/").rpartition("/")[2]
        if slug.strip("."):
            yield slug, one.title


async def _members(location: str, documents: Documents) -> Batch[Post] | None:
    """Return a category's posts: one feed that fails is no reason to do without all the others."""
    try:
        return await _read(location, documents)
    except ProviderFailed:
        return documents.known(location, read_feed)


async def _read(location: str, documents: Documents) -> Batch[Post] | None:
    try:
        return await documents.read(location, read_feed)
    except Refused as refused:
        if refused.answer in _ABSENT:
            return None
        raise
