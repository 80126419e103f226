"""The blog as RSS 2.0."""

from collections.abc import Iterable
from email.utils import format_datetime
from xml.etree import ElementTree as ET

from personalize.sandbox.demo.content import SITE_NAME, Post

PATH = "/blog/feed.xml"
MEDIA_TYPE = "application/rss+xml; charset=utf-8"


def rss(posts: Iterable[Post], base_url: str) -> bytes:
    """Return posts as an RSS document, in the order given; `base_url` makes links absolute."""
    root = ET.Element("rss", {"version": "2.0", "xmlns:atom": "http://www.w3.org/2005/Atom"})
    channel = ET.SubElement(root, "channel")
    _texts(channel, title=f"{SITE_NAME}: the journal", link=f"{base_url}/", description="Posts of the demo blog.")
    ET.SubElement(channel, "atom:link", href=base_url + PATH, rel="self", type="application/rss+xml")
    for post in posts:
        _item(channel, post, base_url)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _item(channel: ET.Element, post: Post, base_url: str) -> None:
    url = base_url + post.path
    _texts(
        ET.SubElement(channel, "item"),
        title=post.title,
        link=url,
        guid=url,
        pubDate=format_datetime(post.published, usegmt=True),
        category=post.category,
        description=post.excerpt,
    )


def _texts(parent: ET.Element, **texts: str) -> None:
    for tag, text in texts.items():
        ET.SubElement(parent, tag).text = text
