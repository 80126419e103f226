"""A blog's page says where its posts are; it does not choose which hosts are asked."""

import pytest

from personalize.providers.fetch import Document
from personalize.providers.links import api_link, feed_link, is_page

PAGE = "https://user:pw@blog.example/news/"
RSS = '<link rel="alternate" type="application/rss+xml" href="%s">'


def page(head: str = "", link: str = "") -> Document:
    """Return a page with something in its head, and a `Link` header."""
    body = f"<!DOCTYPE html><html><head>{head}</head><body></body></html>"
    return Document(PAGE, body.encode(), {"link": link} if link else {})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<!DOCTYPE html><title>x</title>", True),
        (b'\xef\xbb\xbf\n<!-- <rss> --> <!doctype HTML>\n<html lang="en">', True),
        (b'<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml">', True),
        (b"<rss><channel><description>&lt;html></description>", False),
        (b"<!-- <html> --><rss/>", False),
        (b"<!---->" * 10_000 + b"<rss/>", False),  # could be read in more ways than there is time for
        (b"<!---->" * 10_000 + b"<html>", True),
        (b"", False),
    ],
)
def test_a_page_is_told_from_a_feed(body: bytes, *, expected: bool) -> None:
    """By how it begins, not by what it mentions."""
    assert is_page(Document(PAGE, body)) is expected


@pytest.mark.parametrize(
    ("head", "header", "expected"),
    [
        ("", '<https://blog.example/wp-json/>; rel="https://api.w.org/"', "https://user:pw@blog.example/wp-json/"),
        ("", '</>; rel=home, </?rest_route=/>; rel="https://api.w.org/"', "https://user:pw@blog.example/?rest_route=/"),
        ('<link rel="https://api.w.org/" href="/wp-json/">', "", "https://user:pw@blog.example/wp-json/"),
        (
            '<link rel="https://api.w.org/" href="https://evil.example/x/wp-json/">',
            "",
            "https://user:pw@blog.example/x/wp-json/",
        ),
        (
            '<link rel="https://api.w.org/" href="https://blog.example//evil.example/wp-json/">',
            "",
            "https://user:pw@blog.example/evil.example/wp-json/",
        ),
        ('<link rel="home" href="/">', '</>; rel="home"', None),
        ("", "<" * 100_000 + '/>; rel="https://api.w.org/"', None),  # longer than a header that means it
    ],
)
def test_wordpress_says_where_its_api_is(head: str, header: str, expected: str | None) -> None:
    """In a header or in its head; whatever host it calls itself, it is asked where the page was."""
    assert api_link(page(head, header)) == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (RSS % "/feed.xml" + RSS % "/comments.xml", "https://user:pw@blog.example/feed.xml"),
        (RSS % "feed.xml?n=1", "https://user:pw@blog.example/news/feed.xml?n=1"),
        ('<LINK REL="Alternate" TYPE="application/Feed+JSON" HREF="/f.json">', "https://user:pw@blog.example/f.json"),
        (RSS % "https://blog.example/feed.xml", "https://user:pw@blog.example/feed.xml"),
        (RSS % "https://evil.example/feed.xml", None),
        (RSS % "https://blog.example//evil.example/feed.xml", "https://user:pw@blog.example/evil.example/feed.xml"),
        (RSS % "file:///etc/passwd", None),
        (RSS % "http://[::1", None),
        ('<link rel="alternate" hreflang="de" href="/de/">', None),
        ('<link rel="stylesheet" type="application/rss+xml" href="/x">', None),
        ("<link>", None),
    ],
)
def test_a_page_names_its_feed(head: str, expected: str | None) -> None:
    """The first one at its own host."""
    assert feed_link(page(head)) == expected


def test_a_page_in_a_file_leads_nowhere() -> None:
    """Its links have no place to be resolved against."""
    document = Document("/srv/index.html", page(RSS % "/feed.xml").body)
    assert api_link(document) is None
    assert feed_link(document) is None
